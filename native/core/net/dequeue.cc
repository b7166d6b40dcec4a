#include "core/net/dequeue.h"

#include <algorithm>

#include "core/base/guest_load.h"
#include "core/net/net_header.h"
#include "core/virtqueue/chain_walker.h"
#include "core/virtqueue/lookahead.h"

namespace rxvhost {

namespace {

Stat stat_of(ChainDrop drop) { return static_cast<Stat>(drop_direction + static_cast<int>(drop) - 1); }
Stat stat_of(HeaderDrop drop) { return static_cast<Stat>(drop_csum_bounds + static_cast<int>(drop) - 1); }

// Copies `length` bytes that start `skip` bytes into the chain.
void copy_from(const Chain& chain, uint32_t skip, uint32_t length, uint8_t* to) {
  for (uint32_t i = 0; length > 0 && i < chain.count; i++) {
    const Span& span = chain.spans[i];
    if (skip >= span.size) {
      skip -= span.size;
      continue;
    }
    const uint32_t n = std::min(span.size - skip, length);
    guest_copy_in(to, span.data + skip, n);
    to += n;
    length -= n;
    skip = 0;
  }
}

template <Ring R>
class Dequeuer {
 public:
  Dequeuer(Virtqueue& queue, R& ring, Pool& pool, uint32_t account)
      : queue_(queue),
        ring_(ring),
        pool_(pool),
        features_(queue.features()),
        header_length_(net_header_length(features_)),
        ahead_(ring, queue.memory()),
        slots_(pool, account),
        walker_(queue.memory(), features_ >> VIRTIO_RING_F_INDIRECT_DESC & 1) {}

  uint32_t run(uint32_t max, uint32_t* slots) {
    if (ring_.wiped()) return 0;
    // Dropped chains take part in the count of heads, or a guest that sends only garbage would keep us here
    // for ever.
    for (uint32_t heads = 0; count_ < max && heads < kMaxBurst; heads++) {
      if (!slots_.within_credit()) return kBurstCredit | more(max, heads);
      if (ahead_.empty() && !look(std::min(max - count_, slots_.credit()))) return more(max, heads);
      if (!one(slots)) return result_ | more(max, heads);
      if (ring_.staged() == kPublishEvery) ring_.publish();
    }
    return more(max, kMaxBurst);
  }

  uint32_t count() const { return count_; }
  uint32_t dropped() const { return dropped_; }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr int32_t kDropped = -1, kNoSlot = -2, kFault = -3;

  uint32_t more(uint32_t max, uint32_t heads) const {
    return ring_.more() || count_ == max || heads == kMaxBurst ? uint32_t{kBurstMore} : 0;
  }

  bool look(uint32_t want) {
    if (ahead_.fill(std::min(want, kPublishEvery - ring_.staged())) > 0) return true;
    if (ahead_.fault() != Reason::none) queue_.latch(ahead_.fault());
    return false;
  }

  // The chain in front becomes a packet, or is dropped. False: it can't be taken now, or the ring is latched.
  bool one(uint32_t* slots) {
    const auto& entry = ahead_.front();
    if (const Reason reason = ring_.take(entry.head); reason != Reason::none) {
      queue_.latch(reason);
      return false;
    }
    const uint32_t length = entry.first.length - header_length_;
    int32_t slot;
    if (__builtin_expect(entry.plain != nullptr && length - kMinPacket <= kMaxPacket - kMinPacket, 1))
      slot = receive_plain(entry.plain, length);
    else
      slot = receive_chain(entry.first);
    if (__builtin_expect(slot < kDropped, 0)) {
      if (slot == kNoSlot) {
        ring_.undo(entry.head);
        result_ = kBurstNoSlot;
      }
      return false;
    }
    ring_.complete(entry.head, 0);
    ahead_.pop();
    if (slot == kDropped) return queue_.fault() == Reason::none;
    slots[count_++] = static_cast<uint32_t>(slot);
    return true;
  }

  int32_t drop(Stat why) {
    queue_.stats()[why]++;
    dropped_++;
    if (queue_.malformed(1)) queue_.latch(Reason::malformed_budget);
    return kDropped;
  }

  // One buffer that holds the header and the packet: what most drivers send.
  int32_t receive_plain(const uint8_t* buffer, uint32_t length) {
    NetHeader header{};
    auto words = reinterpret_cast<uint32_t*>(&header);
    words[0] = guest_load_unaligned<uint32_t>(buffer);
    if (header.flags | header.gso_type) {
      words[1] = guest_load_unaligned<uint32_t>(buffer + 4);
      words[2] = guest_load_unaligned<uint16_t>(buffer + 8);
      if (const HeaderDrop why = accept_header(&header, length, features_); why != HeaderDrop::none)
        return drop(stat_of(why));
    } else {
      words[0] = 0;  // the lengths are hints that mean nothing without a flag
    }
    const int32_t slot = slots_.take(length);
    if (slot < 0) return kNoSlot;
    guest_copy_in(pool_.data(slot), buffer + header_length_, length);
    return received(slot, header, length);
  }

  // Any other chain: walked to its end.
  __attribute__((noinline)) int32_t receive_chain(const Descriptor& first) {
    walker_.template walk<Access::read>(ahead_.table(), first, &chain_);
    Reason reason = chain_.fault;
    if (reason == Reason::none && queue_.malformed(walker_.toll())) reason = Reason::malformed_budget;
    if (reason != Reason::none) {
      queue_.latch(reason);
      return kFault;
    }
    if (chain_.drop != ChainDrop::none) return drop(stat_of(chain_.drop));
    if (chain_.total < header_length_) return drop(drop_short);
    if (chain_.total == header_length_) return drop(drop_empty);
    const uint64_t length = chain_.total - header_length_;
    if (length < kMinPacket) return drop(drop_runt);
    if (length > kMaxPacket) return drop(drop_too_long);
    const uint32_t n = static_cast<uint32_t>(length);
    NetHeader header{};
    copy_from(chain_, 0, header_length_, reinterpret_cast<uint8_t*>(&header));
    if (const HeaderDrop why = accept_header(&header, n, features_); why != HeaderDrop::none)
      return drop(stat_of(why));
    const int32_t slot = slots_.take(n);
    if (slot < 0) return kNoSlot;
    copy_from(chain_, header_length_, n, pool_.data(slot));
    return received(slot, header, n);
  }

  int32_t received(int32_t slot, const NetHeader& header, uint32_t length) {
    pool_.meta(slot).header = header;
    bytes_ += length;
    queue_.well_formed();
    return slot;
  }

  Virtqueue& queue_;
  R& ring_;
  Pool& pool_;
  const uint64_t features_;
  const uint32_t header_length_;
  uint32_t count_ = 0;
  uint32_t dropped_ = 0;
  uint32_t result_ = 0;
  uint64_t bytes_ = 0;
  Lookahead<R, Access::read> ahead_;
  SlotTaker slots_;
  ChainWalker walker_;
  Chain chain_;  // 16 KiB, not initialised; last, so that the rest shares cache lines
};

}  // namespace

uint32_t dequeue_burst(Virtqueue& queue, Pool& pool, uint32_t account, uint32_t max, uint32_t* slots) {
  Virtqueue::Use use(queue);
  if (!use) return queue.fault() != Reason::none ? kBurstFault | kBurstStopped : kBurstStopped;
  if (queue.ring().idle()) {
    queue.count_burst(0);
    return queue.revoked() ? uint32_t{kBurstFault} : 0;
  }
  uint32_t result, count, dropped;
  uint64_t bytes;
  {
    Dequeuer dequeuer(queue, queue.ring(), pool, account);
    result = dequeuer.run(std::min(max, kMaxBurst), slots);
    count = dequeuer.count();
    dropped = dequeuer.dropped();
    bytes = dequeuer.bytes();
  }
  if (queue.revoked()) {
    // Some of these bytes may be the zero pages that took the guest's place: none of them is passed on.
    for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
    queue.stats()[drop_revoked] += count;
    return kBurstFault | burst_drops(count);
  }
  queue.finish_burst();
  queue.count_burst(count + dropped);
  queue.stats()[stat_packets] += count;
  queue.stats()[stat_bytes] += bytes;
  if (queue.fault() != Reason::none) result |= kBurstFault;
  return result | count | burst_drops(dropped);
}

}  // namespace rxvhost
