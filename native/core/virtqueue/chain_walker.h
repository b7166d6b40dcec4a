// Walks one descriptor chain into spans of our own memory: the one walker that every path uses, dequeue and
// enqueue, direct and indirect. The cursor of the ring's format finds the descriptors. Each of them is read
// once, into a local, and nothing in it is trusted: lengths, directions and addresses are checked here, the
// cursor checks where the chain goes on. virtio 1.2 §2.7.5.
//
// There are two kinds of faults. A fault of content (an address outside memory, a wrong direction, a table of
// odd length) spoils this chain only: it is still followed to its end, then dropped. A fault of structure (a
// chain that leaves its table, a loop) means that the ring cannot be trusted: the ring is latched. A spoilt
// chain that is in an indirect table is not followed: the ring itself does not depend on where it ends.
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

  /// Fills `chain` with the spans of the chain that begins with `first`, the descriptor that `cursor` stands
  /// on: readable ones for Access::read, writable for Access::write.
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

  /// Descriptors of the last chain.
  uint32_t walked() const { return walked_; }
  /// What the last chain costs its ring's budget of malformed chains for its mere length.
  uint32_t long_chain_cost() const { return walked_ / kLongChain; }

 private:
  static void fault(Chain* chain, Reason reason) { chain->fault = reason; }
  static void drop(Chain* chain, ChainDrop why) {
    if (chain->drop == ChainDrop::none) chain->drop = why;
  }

  // INDIRECT ends the direct part: with NEXT, nested, not negotiated or of a length that is no table, the
  // chain is dropped (§2.7.5.3.1, §2.7.5.3.2).
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
