// The next chains of a ring, looked at ahead of their turn, so that the cache lines that come from the
// driver's core travel together and not one after the other: heads, then their descriptors, then the buffers
// that these name. The burst loops of net/ take their chains from here. The first descriptor of a chain is
// loaded once, here; ChainWalker says what is wrong with it. virtio 1.2 §2.7.5.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/copy.h"
#include "core/virtqueue/chain_walker.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// Chains looked at together: as many lines as a core can have on their way, and no more than are published
/// at once.
inline constexpr uint32_t kLookahead = 32;
static_assert(kLookahead <= kPublishEvery);

template <Ring R, Access access>
class Lookahead {
 public:
  struct Entry {
    Descriptor first;
    uint8_t* plain;  // the buffer, if the chain is one direct descriptor inside one region
    uint32_t room;   // its bytes; 0 for any other chain
    typename R::Head head;
  };

  Lookahead(R& ring, const MemorySnapshot& memory) : ring_(ring), memory_(memory) {}

  /// Looks at up to `want` chains; only when none is left. Returns how many; 0 with a fault, or because
  /// nothing is available.
  uint32_t fill(uint32_t want) {
    typename R::Head heads[kLookahead];
    const Heads got = ring_.peek(std::min(want, kLookahead), heads);
    next_ = 0;
    count_ = got.count;
    fault_ = got.count == 0 ? got.fault : Reason::none;
    ring_.prefetch_used(got.count);
    const Region* last = last_;
    for (uint32_t i = 0; i < got.count; i++) load(heads[i], &entries_[i], &last);
    last_ = last;
    return got.count;
  }
  Reason fault() const { return fault_; }
  /// Forgets the entries that were not used yet: the ring has moved back.
  void forget() { next_ = count_ = 0; }

  bool empty() const { return next_ == count_; }
  const Entry& front() const { return entries_[next_]; }
  /// The entries of the last fill(), for a caller that uses all of them.
  const Entry& operator[](uint32_t i) const { return entries_[i]; }
  void pop() { next_++; }

 private:
  void load(typename R::Head head, Entry* entry, const Region** last) {
    constexpr uint16_t kShape = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
    constexpr uint16_t kPlain = access == Access::write ? VRING_DESC_F_WRITE : 0;
    const Descriptor d = ring_.first(head);
    entry->first = d;
    entry->head = head;
    entry->room = 0;
    if ((d.flags & kShape) != kPlain || d.length == 0) return;
    const Span span = memory_.translate<access>(d.address, d.length, last);
    if (span.size != d.length) return;
    entry->plain = span.data;
    entry->room = d.length;
    ask(span.data);
    ask(span.data + kCacheLine);
  }
  static void ask(const void* at) {
    if constexpr (access == Access::write)
      prefetch_to_write(at);
    else
      prefetch(at);
  }

  R& ring_;
  const MemorySnapshot& memory_;
  const Region* last_ = nullptr;
  uint32_t next_ = 0;
  uint32_t count_ = 0;
  Reason fault_ = Reason::none;
  Entry entries_[kLookahead];
};

}  // namespace rxvhost
