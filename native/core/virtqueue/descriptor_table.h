// A table of descriptors in guest memory: the table of a split ring, or an indirect table. The cursors of a
// ring format (ring.h) read chains from it. They read copies, which ChainWalker checks. virtio 1.2 §2.7.5.
#pragma once

#include <cstdint>

#include "core/base/guest_load.h"
#include "core/base/virtio.h"
#include "core/memory/snapshot.h"

namespace rxvhost {

/// A descriptor that was copied out of guest memory once. All checks and uses are on this copy.
struct Descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

/// An indirect table is contiguous in our memory unless it crosses from one region into the next. If it does,
/// `base_` is null, and each entry is put together from its pieces.
class DescriptorTable {
 public:
  DescriptorTable() = default;
  DescriptorTable(const vring_desc* base, uint32_t entries) : base_(base), entries_(entries) {}
  /// Makes the table that `d` names. The caller has checked that its length is a multiple of an entry.
  /// Returns false if the table is not in guest memory.
  static bool indirect(const MemorySnapshot& memory, const Descriptor& d, const Region** last,
                       DescriptorTable* out);

  uint32_t entries() const { return entries_; }
  /// Returns false if the entry is not in guest memory.
  bool load(uint32_t index, Descriptor* out) const {
    if (base_ == nullptr) return gather(index, out);
    *out = load(base_ + index);
    return true;
  }
  static Descriptor load(const vring_desc* d) {
    // Two loads of 8 bytes. If the guest writes at the same time, old and new fields may mix, but each field
    // is whole.
    const uint64_t address = guest_load(reinterpret_cast<const uint64_t*>(&d->addr));
    const uint64_t rest = guest_load(reinterpret_cast<const uint64_t*>(&d->len));
    return {address, static_cast<uint32_t>(rest), static_cast<uint16_t>(rest >> 32),
            static_cast<uint16_t>(rest >> 48)};
  }

 private:
  bool gather(uint32_t index, Descriptor* out) const;

  const vring_desc* base_ = nullptr;
  uint32_t entries_ = 0;
  const MemorySnapshot* memory_ = nullptr;
  uint64_t address_ = 0;
};

}  // namespace rxvhost
