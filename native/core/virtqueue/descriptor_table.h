// A table of descriptors in guest memory: a split ring's own, or an indirect one. Cursors of a ring format
// read chains from it (ring.h); what they read is a copy, and ChainWalker checks it. virtio 1.2 §2.7.5.
#pragma once

#include <cstdint>

#include "core/base/guest_load.h"
#include "core/base/virtio.h"
#include "core/memory/snapshot.h"

namespace rxvhost {

/// A descriptor copied out of guest memory once; everything is checked and used from this copy.
struct Descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

/// An indirect table is contiguous in our memory unless it crosses from one region into the next; then
/// `base_` is null and each entry is gathered from its pieces.
class DescriptorTable {
 public:
  DescriptorTable() = default;
  DescriptorTable(const vring_desc* base, uint32_t entries) : base_(base), entries_(entries) {}
  /// The table that `d` names, whose length is one of a table. False: it is not in guest memory.
  static bool indirect(const MemorySnapshot& memory, const Descriptor& d, const Region** last,
                       DescriptorTable* out);

  uint32_t entries() const { return entries_; }
  /// False: the entry is not in guest memory.
  bool load(uint32_t index, Descriptor* out) const {
    if (base_ == nullptr) return gather(index, out);
    *out = load(base_ + index);
    return true;
  }
  static Descriptor load(const vring_desc* d) {
    // Two loads of 8 bytes: a guest's write at the same time can mix old and new fields, but each field is
    // whole.
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
