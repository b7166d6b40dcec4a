// The guest's memory at one moment: an immutable table that is replaced as a whole. A ring holds a reference
// to the table that it uses. Only translate() and user_range() turn a guest's addresses into pointers. A
// table has at most kMaxRegions regions. A buffer may continue from one region into the next, but a ring may
// not. The dirty log of a migration is part of the table: code that wrote through a writable span must mark
// the bytes before it publishes them.
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

/// How the caller uses a span. The caller may write only to a span that it got with `write`, and it must call
/// mark() for the bytes that it wrote.
enum class Access { read, write };

struct Span {
  uint8_t* data;
  uint32_t size;
};

/// Maps one region. This is the step of a memory change that can block. `known` has the files that are
/// already open.
Reason open_region(const RegionSpec& spec, Fd fd, Backings* known, Region* out);

class MemorySnapshot {
 public:
  /// Maps all regions. If one region can't be mapped, maps none. Takes the fds in both cases.
  static Reason map(std::span<const RegionSpec> specs, std::vector<Fd> fds,
                    std::shared_ptr<const MemorySnapshot>* out);
  /// Makes a copy with one more region. A region that the table already has is not added again, because QEMU
  /// before 8.0 adds each region once per queue pair.
  Reason add(const Region& region, std::shared_ptr<const MemorySnapshot>* out) const;
  /// Makes a copy without the region that has these addresses and this size. It is no error if the table has
  /// no such region.
  Reason remove(const RegionSpec& spec, std::shared_ptr<const MemorySnapshot>* out) const;
  std::shared_ptr<const MemorySnapshot> with(Logging logging) const;

  /// Returns the bytes from `address` on, up to the end of their region and at most `length` of them. Returns
  /// {nullptr, 0} if the address is in no region. `last` caches the region of the caller's previous call,
  /// because consecutive packets often lie in the same region.
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

  /// Returns a pointer to the `length` bytes at the front end's own address `user`, or nullptr if one region
  /// does not contain all of them.
  uint8_t* user_range(uint64_t user, uint64_t length) const;

  const Logging& logging() const { return logging_; }
  /// Returns true during a migration. Writes into buffers must then be marked.
  bool logs_buffers() const { return logging_.buffers && logging_.log; }
  /// Returns whether the log has bits for these bytes of a writable span. Call it before you write the bytes.
  bool can_mark(const Span& span) const;
  /// Marks bytes of a writable span as dirty. Call it after you have written the bytes.
  void mark(const Span& span) const;

  /// Returns whether an access to a region or to the log raised SIGBUS.
  bool poisoned() const;
  /// Returns the reason for the SIGBUS, from the first poisoned file whose reason is known.
  Loss loss() const;
  /// Returns those files of the regions that are still open.
  Backings backings() const;
  /// Returns how many regions lie in files on a disk.
  uint32_t regions_on_disk() const;
  std::span<const Region> regions() const { return regions_; }

 private:
  const Region* find(uint64_t address) const;
  bool guest_address(const uint8_t* host, uint64_t* out) const;

  std::vector<Region> regions_;  // sorted by guest address
  Logging logging_;
};

}  // namespace rxvhost
