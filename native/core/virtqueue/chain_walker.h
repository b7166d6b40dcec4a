// Walks one descriptor chain into spans of our own memory: the one walker that every path uses, dequeue and
// enqueue, direct and indirect. It reads each descriptor once, into a local, and believes nothing: not
// `next`, not lengths, not directions, not addresses. virtio 1.2 §2.7.5.
//
// Two kinds of badness. Content (an address outside memory, a wrong direction, a table of odd length) spoils
// this chain only: it is still followed to its end, then dropped. Structure (a next outside its table, a
// loop) means that the ring can't be trusted: the ring is latched.
#pragma once

#include <cstdint>

#include "core/base/guest_load.h"
#include "core/base/limits.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// Why a chain is of no use; each is a counter (addon/queues.h, src/queue/queue.ts).
enum class ChainDrop : uint8_t { none, direction, address, indirect, fragments };

struct Chain {
  uint64_t total;  // bytes of all spans
  uint32_t count;
  ChainDrop drop;
  Reason fault;
  Span spans[kMaxSpans];

  void clear() {
    total = 0;
    count = 0;
    drop = ChainDrop::none;
    fault = Reason::none;
  }
};

/// A descriptor table: the ring's own, or an indirect one. An indirect table is contiguous in our memory
/// unless it crosses from one region into the next; then `base` is null and its entries are gathered.
class DescriptorTable {
 public:
  DescriptorTable(const vring_desc* base, uint32_t entries) : base_(base), entries_(entries) {}
  static bool indirect(const MemorySnapshot& memory, const Descriptor& d, const Region** last,
                       DescriptorTable* out);

  uint32_t entries() const { return entries_; }
  bool load(uint32_t index, Descriptor* out) const {
    if (base_ == nullptr) return gather(index, out);
    *out = load(base_ + index);
    return true;
  }
  static Descriptor load(const vring_desc* d) {
    // Two loads of 8 bytes: a descriptor torn by a guest's write is the guest's own doing, each field is
    // whole.
    const uint64_t address = guest_load(reinterpret_cast<const uint64_t*>(&d->addr));
    const uint64_t rest = guest_load(reinterpret_cast<const uint64_t*>(&d->len));
    return {address, static_cast<uint32_t>(rest), static_cast<uint16_t>(rest >> 32),
            static_cast<uint16_t>(rest >> 48)};
  }

 private:
  bool gather(uint32_t index, Descriptor* out) const;

  const vring_desc* base_;
  uint32_t entries_;
  const MemorySnapshot* memory_ = nullptr;
  uint64_t address_ = 0;
};

class ChainWalker {
 public:
  ChainWalker(const MemorySnapshot& memory, bool indirect_allowed)
      : memory_(memory), indirect_(indirect_allowed) {}

  /// Fills `chain` with the spans of the chain that begins with `first`, which was loaded from `ring`:
  /// readable ones for Access::read, writable for Access::write.
  template <Access access>
  void walk(const DescriptorTable& ring, const Descriptor& first, Chain* chain) {
    chain->clear();
    walked_ = 1;
    DescriptorTable table = ring;
    Descriptor d = first;
    bool inside = false;  // in an indirect table
    for (uint32_t steps = 1;;) {
      uint32_t index;
      if (d.flags & VRING_DESC_F_INDIRECT) {
        if (!enter(d, inside, &table, chain)) return;
        inside = true;
        index = 0;
        steps = 0;  // a table has its own count of steps
      } else {
        if (chain->drop == ChainDrop::none) add<access>(d, chain);
        if (!(d.flags & VRING_DESC_F_NEXT)) return;
        index = d.next;
      }
      if (steps++ >= table.entries()) return fault(chain, Reason::chain_loop);
      if (index >= table.entries()) return fault(chain, Reason::next_range);
      walked_++;
      if (!table.load(index, &d)) return drop(chain, ChainDrop::address);
    }
  }

  /// Descriptors of the last chain.
  uint32_t walked() const { return walked_; }
  /// What the last chain costs its ring's budget of malformed chains for its mere length.
  uint32_t toll() const { return walked_ / kTollDescriptors; }

 private:
  static void fault(Chain* chain, Reason reason) { chain->fault = reason; }
  static void drop(Chain* chain, ChainDrop why) {
    if (chain->drop == ChainDrop::none) chain->drop = why;
  }

  // INDIRECT ends the direct part: with NEXT, nested, not negotiated or of a length that is no table, the
  // chain is dropped (§2.7.5.3.1, §2.7.5.3.2).
  bool enter(const Descriptor& d, bool inside, DescriptorTable* table, Chain* chain) {
    const bool legal = indirect_ && !inside && !(d.flags & VRING_DESC_F_NEXT) && d.length != 0 &&
                       d.length % 16 == 0 && d.length / 16 <= kMaxRingSize;
    if (!legal) return drop(chain, ChainDrop::indirect), false;
    if (!DescriptorTable::indirect(memory_, d, &last_, table)) return drop(chain, ChainDrop::address), false;
    return true;
  }

  template <Access access>
  void add(const Descriptor& d, Chain* chain) {
    const bool writable = d.flags & VRING_DESC_F_WRITE;
    if (writable != (access == Access::write)) return drop(chain, ChainDrop::direction);
    uint64_t address = d.address;
    uint32_t left = d.length;  // 0: skipped, its address is never looked at
    while (left > 0) {
      const Span span = memory_.translate<access>(address, left, &last_);
      if (span.size == 0) return drop(chain, ChainDrop::address);
      if (chain->count == kMaxSpans) return drop(chain, ChainDrop::fragments);
      chain->spans[chain->count++] = span;
      chain->total += span.size;
      address += span.size;
      left -= span.size;
      // A region may end with the last address there is; what follows is not the region at 0.
      if (address == 0 && left > 0) return drop(chain, ChainDrop::address);
    }
  }

  const MemorySnapshot& memory_;
  const Region* last_ = nullptr;
  uint32_t walked_ = 0;
  bool indirect_;
};

}  // namespace rxvhost
