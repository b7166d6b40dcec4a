// The guest's memory at one moment: an immutable table that is replaced as a whole. A ring holds a ref to the
// table that it runs on. Only translate() and user_range() turn a guest's addresses into pointers. Limits:
// kMaxRegions regions; a buffer may continue from one region into the next, a ring may not. The dirty log of
// a migration is part of the table: code that wrote through a writable span marks the bytes before it
// publishes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/memory/dirty_log.h"
#include "core/memory/mapping.h"

namespace rxvhost {

/// One row of SET_MEM_TABLE, or the region of ADD_MEM_REG.
struct RegionSpec {
  uint64_t guest;   // guest-physical address
  uint64_t size;    // bytes
  uint64_t user;    // the front end's virtual address
  uint64_t offset;  // of the region in its file
};

struct Region {
  uint64_t guest;
  uint64_t size;
  uint64_t user;
  uint8_t* host;
  std::shared_ptr<const Mapping> mapping;
};

/// What the caller does with a span: it may write only to spans got with `write`, and calls mark() for the
/// bytes that it wrote.
enum class Access { read, write };

struct Span {
  uint8_t* data;
  uint32_t size;
};

/// Maps one region, the part of a memory change that can block. `known` are the files that are already open.
Reason open_region(const RegionSpec& spec, Fd fd, Backings* known, Region* out);

class MemorySnapshot {
 public:
  /// All or nothing. `fds` are closed in every case.
  static Reason map(std::span<const RegionSpec> specs, std::vector<Fd> fds,
                    std::shared_ptr<const MemorySnapshot>* out);
  /// A copy with one more region. A region that is already there is not added again: QEMU before 8.0 adds
  /// each region once per queue pair.
  Reason add(const Region& region, std::shared_ptr<const MemorySnapshot>* out) const;
  /// A copy without the region that has these addresses and this size, if there is one.
  Reason remove(const RegionSpec& spec, std::shared_ptr<const MemorySnapshot>* out) const;
  std::shared_ptr<const MemorySnapshot> with(Logging logging) const;

  /// The longest run from `address` that lies in one region, at most `length` bytes; {nullptr, 0} outside all
  /// regions. `last` caches the region of the caller's previous call, since packets often lie in one region.
  template <Access access>
  Span translate(uint64_t address, uint32_t length, const Region** last) const {
    const Region* region = *last;
    if (region == nullptr || address - region->guest >= region->size) {
      region = find(address);
      if (region == nullptr) return {nullptr, 0};
      *last = region;
    }
    const uint64_t offset = address - region->guest;
    const uint64_t left = region->size - offset;
    return {region->host + offset, left < length ? static_cast<uint32_t>(left) : length};
  }

  /// `length` bytes at the front end's own address `user`, whole inside one region; nullptr otherwise.
  uint8_t* user_range(uint64_t user, uint64_t length) const;

  const Logging& logging() const { return logging_; }
  /// True during a migration: writes into buffers have to be marked.
  bool logs_buffers() const { return logging_.buffers && logging_.log; }
  /// Whether the log has bits for these bytes of a writable span. Call it before writing them.
  bool can_mark(const Span& span) const;
  /// Marks bytes of a writable span as dirty. Call it after writing them.
  void mark(const Span& span) const;

  /// Whether an access to a region or to the log raised SIGBUS.
  bool poisoned() const;
  /// The reason, from the first such file for which it is known.
  Loss loss() const;
  /// The files of the regions, those that are still open.
  Backings backings() const;
  /// How many regions lie in files on a disk.
  uint32_t regions_on_disk() const;
  std::span<const Region> regions() const { return regions_; }

 private:
  const Region* find(uint64_t address) const;
  bool guest_address(const uint8_t* host, uint64_t* out) const;

  std::vector<Region> regions_;  // by guest address
  Logging logging_;
};

}  // namespace rxvhost
