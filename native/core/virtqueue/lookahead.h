// Reads the next chains of a ring before they are needed: first the heads, then the descriptors, then the
// beginnings of the buffers. The cache lines come from the driver's core, and in this way they are requested
// together, not one after the other. The burst loops of net/ take their chains from here. The first
// descriptor of a chain is loaded only here, and ChainWalker checks it. virtio 1.2 §2.7.5.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/copy.h"
#include "core/virtqueue/chain_walker.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// Chains that are read together: as many as a core can have cache lines in flight, and no more than are
/// published at once.
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

  /// Reads up to `want` chains. Call it only if no entry is left. Returns the number of chains; 0 if nothing
  /// is available, or if there is a fault.
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
  /// Discards the remaining entries, because the ring has moved back.
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
