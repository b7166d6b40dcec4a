// The guest's memory as it was at one moment: an immutable table, swapped whole. A ring pins the one that it
// runs on. Everything that becomes a pointer into the guest passes translate() or user_range(), nothing else
// adds addresses. Limits: kMaxRegions regions; a buffer may continue from one region into the next, a ring
// may not. The dirty log of a migration is part of it: whoever has written through a writable span marks what
// it wrote, before it publishes.
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

/// What the caller is going to do. A writable span can be had by `write` only; mark() is for what was written
/// through it.
enum class Access { read, write };

struct Span {
  uint8_t* data;
  uint32_t size;
};

/// Maps one: what may last of a change of the memory, and knows no table but `known`, its files.
Reason open_region(const RegionSpec& spec, Fd fd, Backings* known, Region* out);

class MemorySnapshot {
 public:
  /// All or nothing. `fds` are closed in every case.
  static Reason map(std::span<const RegionSpec> specs, std::vector<Fd> fds,
                    std::shared_ptr<const MemorySnapshot>* out);
  /// The same and one region more; the same again if it is there already, since QEMU before 8.0 adds each
  /// region once per queue pair.
  Reason add(const Region& region, std::shared_ptr<const MemorySnapshot>* out) const;
  /// The same without the region that has these addresses and this size; the same again if nothing is there.
  Reason remove(const RegionSpec& spec, std::shared_ptr<const MemorySnapshot>* out) const;
  std::shared_ptr<const MemorySnapshot> with(Logging logging) const;

  /// The longest run from `address` that lies in one region, at most `length` bytes; {nullptr, 0} outside all
  /// regions. `last` is the caller's memory of the region that it hit before: packets cluster.
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
  /// A migration runs: what is written into buffers is to be marked.
  bool logs_buffers() const { return logging_.buffers && logging_.log; }
  /// Has the log bits for these bytes of a writable span? To be asked before they are written.
  bool can_mark(const Span& span) const;
  /// Marks bytes of a writable span, once they are written.
  void mark(const Span& span) const;

  /// The file behind a region, or behind the log, was truncated.
  bool poisoned() const;
  /// Why: of the first such file of which it is known.
  Loss loss() const;
  /// The files that its regions lie in, as far as they are open.
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
