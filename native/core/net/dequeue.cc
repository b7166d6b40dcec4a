#include "core/net/dequeue.h"

#include <algorithm>
#include <cstring>

#include "core/base/guest_load.h"
#include "core/net/frame_counters.h"
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
    guest_copy_once(to, span.data + skip, n);  // the header comes this way too
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
        stats_(queue.stats()),
        features_(queue.features()),
        header_length_(net_header_length(features_)),
        ahead_(ring, queue.memory()),
        slots_(pool, account),
        walker_(queue.memory(), features_ >> VIRTIO_RING_F_INDIRECT_DESC & 1) {}

  uint32_t run(uint32_t max, uint32_t* slots) {
    if (ring_.wiped()) return 0;
    uint32_t count = 0;
    // The loop also counts the heads of dropped chains. Otherwise a guest that sends only malformed chains
    // would keep the loop running for ever.
    uint32_t heads = 0;
    Stop stop = Stop::none;
    while (count < max && heads < kMaxBurst && stop == Stop::none) {
      if (ring_.staged() == kPublishEvery && !queue_.publish_early(ring_)) return finish(count, Stop::fault);
      const uint32_t room = std::min({max - count, kMaxBurst - heads, kPublishEvery - ring_.staged()});
      if (slots_.credit() == 0) return finish(count, Stop::credit);
      const uint32_t ready = ahead_.fill(std::min(room, slots_.credit()));
      if (ready == 0) {
        if (ahead_.fault() != Reason::none) queue_.latch(ahead_.fault());
        return finish(count, Stop::none);
      }
      for (uint32_t i = 0; i < ready && stop == Stop::none; i++) {
        const int32_t slot = one(ahead_[i], &stop);
        if (slot >= 0) slots[count++] = static_cast<uint32_t>(slot);
      }
      heads += ready;
    }
    return finish(count, stop, stop == Stop::none);
  }

  uint32_t dropped() const { return dropped_; }
  uint32_t bytes() const { return slots_.bytes(); }

 private:
  using Entry = typename Lookahead<R, Access::read>::Entry;
  static constexpr int32_t kDropped = -1, kNoSlot = -2, kSegmented = -3;
  enum class Stop : uint32_t {
    none = 0,
    credit = kBurstCredit,
    no_slot = kBurstNoSlot,
    fault = kBurstFault,
    long_chains = kBurstMore,  // the walk budget is used up, and another burst continues
  };

  // `full`: the burst ended at a limit, not because there were no more chains.
  uint32_t finish(uint32_t count, Stop stop, bool full = false) const {
    const uint32_t more = full || ring_.more() ? uint32_t{kBurstMore} : 0;
    return count | static_cast<uint32_t>(stop) | more;
  }

  // Turns the chain into a packet in a slot, or drops it. `stop` is set if the burst must end.
  int32_t one(const Entry& entry, Stop* stop) {
    if (__builtin_expect(!slots_.within_bytes(), 0)) return *stop = Stop::credit, kDropped;
    if (const Reason reason = ring_.take(entry.head); reason != Reason::none) return fault(reason, stop);
    const uint32_t length = entry.room - header_length_;  // wraps if the chain is not a plain buffer
    int32_t slot;
    if (__builtin_expect(length - kMinPacket <= kMaxPacket - kMinPacket, 1))
      slot = receive_plain(entry.plain, length);
    else
      slot = receive_chain(entry, stop);
    if (__builtin_expect(slot < 0, 0)) {
      if (slot == kSegmented) slot = receive_chain(entry, stop);
      if (slot == kNoSlot) {
        ring_.undo(entry.head);
        return *stop = Stop::no_slot, kDropped;
      }
      if (*stop == Stop::fault) return kDropped;
      if (queue_.fault() != Reason::none) *stop = Stop::fault;
    }
    ring_.complete(entry.head, 0);
    return slot;
  }

  int32_t fault(Reason reason, Stop* stop) {
    queue_.latch(reason);
    *stop = Stop::fault;
    return kDropped;
  }

  int32_t drop(Stat why) {
    stats_[why]++;
    dropped_++;
    if (queue_.malformed(1)) queue_.latch(Reason::malformed_budget);
    return kDropped;
  }

  // Most drivers send one buffer, with the header and the packet.
  int32_t receive_plain(const uint8_t* buffer, uint32_t length) {
    alignas(uint32_t) NetHeader header{};
    auto words = reinterpret_cast<uint32_t*>(&header);
    words[0] = guest_load_unaligned<uint32_t>(buffer);
    if (__builtin_expect((words[0] & 0xffff) != 0, 0)) {  // flags and gso_type, in one test
      if (words[0] & 0xff00) return kSegmented;
      words[1] = guest_load_unaligned<uint32_t>(buffer + 4);
      words[2] = guest_load_unaligned<uint16_t>(buffer + 8);
      if (const HeaderDrop why = accept_header(&header, length, features_); why != HeaderDrop::none)
        return drop(stat_of(why));
    } else {
      words[0] = 0;  // without flags, the lengths in the header mean nothing
    }
    const int32_t slot = slots_.take(length);
    if (slot < 0) return kNoSlot;
    SlotMeta& meta = slots_.meta(slot);
    uint8_t* frame = slots_.data(meta);
    guest_copy_in(frame, buffer + header_length_, length);
    meta.header = header;
    return received(slot, frame, length);
  }

  // Any other chain is walked to its end. So is the chain of a frame that asks for segmentation, since its
  // headers are checked in a private copy before it gets a slot.
  __attribute__((noinline)) int32_t receive_chain(const Entry& entry, Stop* stop) {
    walker_.template walk<Access::read>(ring_.cursor(entry.head), entry.first, &chain_);
    Reason reason = chain_.fault;
    if (reason == Reason::none && queue_.malformed(walker_.long_chain_cost()))
      reason = Reason::malformed_budget;
    if (reason != Reason::none) return fault(reason, stop);
    // Good packets reset the ring's budget, so the burst has a budget of its own.
    stats_[stat_walked] += walker_.walked();
    if ((walked_ += walker_.walked()) >= kWalkBudget) *stop = Stop::long_chains;
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
    uint8_t head[kSegmentHead];
    const uint32_t checked = header.gso_type ? std::min(n, kSegmentHead) : 0;
    copy_from(chain_, header_length_, checked, head);
    if (header.gso_type && !accept_segments(&header, head, checked, n)) return drop(drop_gso);
    const int32_t slot = slots_.take(n);
    if (slot < 0) return kNoSlot;
    SlotMeta& meta = slots_.meta(slot);
    uint8_t* frame = slots_.data(meta);
    std::memcpy(frame, head, checked);
    copy_from(chain_, header_length_ + checked, n - checked, frame + checked);
    meta.header = header;
    return received(slot, frame, n);
  }

  int32_t received(int32_t slot, const uint8_t* frame, uint32_t length) {
    count_frame(stats_, frame, length);
    queue_.well_formed();
    return slot;
  }

  Virtqueue& queue_;
  R& ring_;
  uint64_t* const stats_;
  const uint64_t features_;
  const uint32_t header_length_;
  uint32_t dropped_ = 0;
  uint32_t walked_ = 0;  // descriptors, of all chains that were walked
  Lookahead<R, Access::read> ahead_;
  SlotTaker slots_;
  ChainWalker walker_;
  Chain chain_;  // 16 KiB, not initialised; last, so that the rest shares cache lines
};

// A function of its own, so that a poll of an empty ring does not pay for its stack frame.
template <Ring R>
__attribute__((noinline)) uint32_t drain(Virtqueue& queue, R& ring, Pool& pool, uint32_t account,
                                         uint32_t max, uint32_t* slots) {
  uint64_t* stats = queue.stats();
  const FramesBefore before(stats);
  uint32_t result, dropped, bytes;
  {
    Dequeuer dequeuer(queue, ring, pool, account);
    result = dequeuer.run(std::min(max, kMaxBurst), slots);
    dropped = dequeuer.dropped();
    bytes = dequeuer.bytes();
  }
  const uint32_t count = result & kBurstCount;
  if (queue.revoked()) {
    // Some bytes may come from the zero pages that replaced the guest's memory, so no packet is passed on.
    for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
    before.restore();
    stats[drop_revoked] += count;
    return kBurstFault;
  }
  queue.finish_burst(ring);
  queue.count_burst(count + dropped);
  stats[stat_packets] += count;
  stats[stat_bytes] += bytes;
  if (queue.fault() != Reason::none) result |= kBurstFault;
  return result;
}

}  // namespace

uint32_t dequeue_burst(Virtqueue& queue, Pool& pool, uint32_t account, uint32_t max, uint32_t* slots,
                       Counters* counters) {
  Virtqueue::Use use(queue, counters);
  if (!use) return queue.fault() != Reason::none ? kBurstFault | kBurstStopped : kBurstStopped;
  return queue.visit([&](auto& ring) -> uint32_t {
    if (!ring.idle()) return drain(queue, ring, pool, account, max, slots);
    queue.count_burst(0);
    return queue.revoked() ? uint32_t{kBurstFault} : 0;
  });
}

}  // namespace rxvhost
