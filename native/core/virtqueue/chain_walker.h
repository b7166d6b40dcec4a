// Turns one descriptor chain into spans of our own memory. Dequeue and enqueue use this walker for direct and
// indirect chains alike. The cursor of the ring's format finds the descriptors, and checks where the chain
// continues. Each descriptor is read once, into a local variable, and then its length, direction and address
// are checked here. virtio 1.2 §2.7.5.
//
// There are two kinds of faults. A fault of content (an address outside memory, a wrong direction, a table of
// odd length) affects only this chain, which is dropped. If the chain is direct, it is still followed to its
// end, to find a fault of structure; an indirect table is not read further. A fault of structure (a chain
// that leaves its table, or a loop) means that the ring cannot be trusted, and the ring is latched.
#pragma once

#include <cstdint>

#include "core/base/limits.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// Why a chain is dropped; each is a counter (core/virtqueue/counters.h).
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

class ChainWalker {
 public:
  ChainWalker(const MemorySnapshot& memory, bool indirect_allowed)
      : memory_(memory), indirect_(indirect_allowed) {}

  /// Fills `chain` with the spans of the chain that begins with `first`, which is the descriptor at which
  /// `cursor` stands. All descriptors must be readable for Access::read and writable for Access::write.
  template <Access access, DescriptorCursor C>
  void walk(C cursor, const Descriptor& first, Chain* chain) {
    chain->clear();
    walked_ = 1;
    Descriptor d = first;
    bool inside = false;  // in an indirect table
    for (;;) {
      Step step;
      if (d.flags & VRING_DESC_F_INDIRECT) {
        DescriptorTable table;
        if (!open(d, inside, &table, chain)) return;
        inside = true;
        cursor.enter(table);
        step = cursor.first(&d);
      } else {
        if (chain->drop == ChainDrop::none) add<access>(d, chain);
        step = cursor.next(&d);
      }
      if (step == Step::end) return;
      if (step == Step::loop) return fault(chain, Reason::chain_loop);
      if (step == Step::range) return fault(chain, Reason::next_range);
      if (++walked_ > kMaxSpans + inside) drop(chain, ChainDrop::fragments);
      if (step == Step::unreadable) return drop(chain, ChainDrop::address);
      if (inside && chain->drop != ChainDrop::none) return;
    }
  }

  /// Number of descriptors that were read of the last chain.
  uint32_t walked() const { return walked_; }
  /// How many malformed chains the last chain counts as, because of its length.
  uint32_t long_chain_cost() const { return walked_ / kLongChain; }

 private:
  static void fault(Chain* chain, Reason reason) { chain->fault = reason; }
  static void drop(Chain* chain, ChainDrop why) {
    if (chain->drop == ChainDrop::none) chain->drop = why;
  }

  // An INDIRECT descriptor ends the direct part of a chain. The chain is dropped if that descriptor also has
  // NEXT, is inside a table, was not negotiated, or has a length that no table has (§2.7.5.3.1, §2.7.5.3.2).
  bool open(const Descriptor& d, bool inside, DescriptorTable* table, Chain* chain) {
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
    uint32_t left = d.length;  // a descriptor of length 0 is skipped, and its address is not checked
    while (left > 0) {
      const Span span = memory_.translate<access>(address, left, &last_);
      if (span.size == 0) return drop(chain, ChainDrop::address);
      if (chain->count == kMaxSpans) return drop(chain, ChainDrop::fragments);
      chain->spans[chain->count++] = span;
      chain->total += span.size;
      address += span.size;
      left -= span.size;
      // A region may end at the last address. The next byte is then not the one at address 0.
      if (address == 0 && left > 0) return drop(chain, ChainDrop::address);
    }
  }

  const MemorySnapshot& memory_;
  const Region* last_ = nullptr;
  uint32_t walked_ = 0;
  bool indirect_;
};

}  // namespace rxvhost
