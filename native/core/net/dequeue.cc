#include "core/net/dequeue.h"

#include <algorithm>

#include "core/base/guest_load.h"
#include "core/net/net_header.h"
#include "core/virtqueue/chain_walker.h"

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
        account_(account),
        features_(queue.features()),
        header_length_(net_header_length(features_)),
        walker_(queue.memory(), features_ >> VIRTIO_RING_F_INDIRECT_DESC & 1),
        table_(ring.table(), ring.size()) {}

  uint32_t run(uint32_t max, uint32_t* slots) {
    uint32_t heads = 0, result = 0, published = 0;
    if (ring_.wiped()) return 0;
    // Dropped chains take part in the count of heads, or a guest that sends only garbage would keep us here
    // for ever.
    for (; count_ < max && heads < kMaxBurst; heads++) {
      if (!within_credit()) {
        result = kBurstCredit;
        break;
      }
      const Peek next = ring_.peek();
      if (next.kind == Peek::empty) break;
      Reason reason = next.kind == Peek::fault ? next.reason : ring_.take(next.id);
      if (reason == Reason::none) {
        walker_.template walk<Access::read>(table_, next.id, &chain_);
        reason = chain_.fault;
        if (reason == Reason::none && queue_.malformed(walker_.toll())) reason = Reason::malformed_budget;
      }
      if (reason != Reason::none) {
        queue_.latch(reason);
        break;
      }
      const int32_t slot = receive();
      if (slot == kNoSlot) {
        ring_.undo(1);
        result = kBurstNoSlot;
        break;
      }
      ring_.complete(next.id, 0);
      if (slot == kDropped && queue_.fault() != Reason::none) break;
      if (slot >= 0) slots[count_++] = static_cast<uint32_t>(slot);
      if (heads - published == kPublishEvery - 1) {
        published = heads + 1;
        ring_.publish();
      }
    }
    if (ring_.more() || count_ == max || heads == kMaxBurst) result |= kBurstMore;
    return result;
  }

  uint32_t count() const { return count_; }
  uint32_t dropped() const { return dropped_; }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr int32_t kDropped = -1, kNoSlot = -2;

  bool within_credit() const {
    const Account& a = pool_.account(account_);
    return a.packets < a.packet_limit && a.bytes < a.byte_limit;
  }

  int32_t drop(Stat why) {
    queue_.stats()[why]++;
    dropped_++;
    if (queue_.malformed(1)) queue_.latch(Reason::malformed_budget);
    return kDropped;
  }

  // The chain in hand becomes a packet in a slot, or is dropped.
  int32_t receive() {
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
    const int32_t slot = pool_.take(n, account_);
    if (slot < 0) return kNoSlot;
    copy_from(chain_, header_length_, n, pool_.data(slot));
    pool_.meta(slot).header = header;
    bytes_ += n;
    queue_.well_formed();
    return slot;
  }

  Virtqueue& queue_;
  R& ring_;
  Pool& pool_;
  const uint32_t account_;
  const uint64_t features_;
  const uint32_t header_length_;
  ChainWalker walker_;
  const DescriptorTable table_;
  uint32_t count_ = 0;
  uint32_t dropped_ = 0;
  uint64_t bytes_ = 0;
  Chain chain_;  // 16 KiB, not initialised; last, so that the rest shares cache lines
};

}  // namespace

uint32_t dequeue_burst(Virtqueue& queue, Pool& pool, uint32_t account, uint32_t max, uint32_t* slots) {
  Virtqueue::Use use(queue);
  if (!use) return queue.fault() != Reason::none ? kBurstFault | kBurstStopped : kBurstStopped;
  Dequeuer dequeuer(queue, queue.ring(), pool, account);
  uint32_t result = dequeuer.run(std::min(max, kMaxBurst), slots);
  uint32_t count = dequeuer.count();
  if (queue.revoked()) {
    // Some of these bytes may be the zero pages that took the guest's place: none of them is passed on.
    for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
    queue.stats()[drop_revoked] += count;
    return kBurstFault | burst_drops(count);
  }
  queue.finish_burst();
  queue.stats()[stat_packets] += count;
  queue.stats()[stat_bytes] += dequeuer.bytes();
  if (queue.fault() != Reason::none) result |= kBurstFault;
  return result | count | burst_drops(dequeuer.dropped());
}

}  // namespace rxvhost
