#include "core/net/enqueue.h"

#include <algorithm>
#include <cstring>

#include "core/base/guest_load.h"
#include "core/net/checksum.h"
#include "core/net/frame_counters.h"
#include "core/net/mtu.h"
#include "core/net/net_header.h"
#include "core/virtqueue/chain_walker.h"
#include "core/virtqueue/lookahead.h"

namespace rxvhost {

namespace {

/// A piece of a packet in our own memory. Today a packet is one piece. The payload of another guest will be a
/// second one.
struct Segment {
  const uint8_t* data;
  uint32_t size;
};

// Writes pieces one after another into the spans of a packet's buffers.
class SpanWriter {
 public:
  void add(const Span* spans, uint32_t count) {
    spans_ = spans;
    end_ = spans + count;
    used_ = 0;
  }
  /// Returns the number of bytes written, which is less than `size` only at the end of the spans.
  uint32_t write(const uint8_t* from, uint32_t size) {
    uint32_t done = 0;
    while (done < size && spans_ != end_) {
      const uint32_t n = std::min(spans_->size - used_, size - done);
      guest_copy_out(spans_->data + used_, from + done, n);
      done += n;
      used_ += n;
      if (used_ == spans_->size) {
        spans_++;
        used_ = 0;
      }
    }
    return done;
  }

 private:
  const Span* spans_ = nullptr;
  const Span* end_ = nullptr;
  uint32_t used_ = 0;
};

template <Ring R>
class Enqueuer {
 public:
  Enqueuer(Virtqueue& queue, R& ring, Pool& pool, uint32_t mtu)
      : queue_(queue),
        ring_(ring),
        pool_(pool),
        stats_(queue.stats()),
        features_(queue.features()),
        header_length_(net_header_length(features_)),
        mergeable_(features_ >> VIRTIO_NET_F_MRG_RXBUF & 1),
        mtu_(mtu),
        plain_most_(queue.memory().logs_buffers() ? 0 : surely_within(mtu)),
        ahead_(ring, queue.memory()),
        walker_(queue.memory(), features_ >> VIRTIO_RING_F_INDIRECT_DESC & 1) {}

  enum class Outcome { delivered, dropped, no_room, fault };

  /// `left`: packets of the burst that are not delivered yet, including this one.
  Outcome one(uint32_t slot, const SlotMeta& meta, uint32_t left) {
    const uint32_t length = meta.length;
    if (ahead_.empty()) {
      if (!publish_some()) return Outcome::fault;
      if (ahead_.fill(std::min(left, kPublishEvery - ring_.staged())) == 0)
        return ahead_.fault() != Reason::none ? fault(ahead_.fault()) : Outcome::no_room;
    }
    const auto& entry = ahead_.front();
    const uint32_t need = header_length_ + length;
    if (__builtin_expect(
            entry.room < need || length > plain_most_ || (meta.header.flags | meta.header.gso_type), 0))
      return any(slot);
    if (const Reason reason = ring_.take(entry.head); reason != Reason::none) return fault(reason);
    // Without offloads the header is zero, except num_buffers (1) with mergeable buffers.
    guest_store_unaligned<uint64_t>(entry.plain, 0);
    if (header_length_ == sizeof(NetHeader))
      guest_store_unaligned<uint32_t>(entry.plain + 8, uint32_t{1} << 16);
    else
      guest_store_unaligned<uint16_t>(entry.plain + 8, 0);
    const uint8_t* frame = pool_.data(meta);
    guest_copy_out(entry.plain + header_length_, frame, length);
    count_frame(stats_, frame, length);
    ring_.complete(entry.head, need);
    ahead_.pop();
    queue_.well_formed();
    return Outcome::delivered;
  }

 private:
  // The slow path: packets with offloads, packets that may exceed the MTU, packets whose next buffer is a
  // chain or too small, and every packet while a migration runs.
  __attribute__((noinline)) Outcome any(uint32_t slot) {
    if (walked_enough()) return Outcome::no_room;
    const SlotMeta& meta = pool_.meta(slot);
    NetHeader header = meta.header;
    if (beyond_mtu(pool_.data(slot), meta.length, header, mtu_)) return drop(drop_mtu);
    const OffloadSupport support = offload_support(header, features_);
    if (!support.allowed) return drop(drop_offload);
    const uint64_t need = uint64_t{header_length_} + meta.length;
    for (;;) {
      const Outcome outcome = mergeable_ ? collect(need) : single(need);
      if (outcome == Outcome::dropped && retry_) {
        if (walked_enough()) return Outcome::no_room;
        continue;  // a malformed buffer was given back: try the next buffers
      }
      if (outcome != Outcome::delivered) return outcome;
      break;
    }
    const bool marked = queue_.memory().logs_buffers();
    if (marked && !can_mark(need)) return fault(Reason::log_overflow);
    uint8_t filled[2];
    if (support.checksum) fill_checksum(slot, &header, filled);
    fill(slot, header, support.checksum ? filled : nullptr);
    if (marked) mark(need);
    count_frame(stats_, pool_.data(slot), meta.length);
    return publish_some() ? Outcome::delivered : Outcome::fault;
  }

  // Returns true if the burst has walked enough descriptors, and another burst must continue. The ring's
  // budget of malformed chains does not limit this, because good packets reset it and short chains do not
  // count.
  bool walked_enough() {
    if (walked_ < kWalkBudget) return false;
    queue_.leave_unfinished();
    return true;
  }

  // Publishes if kPublishEvery chains are staged. Returns false if the memory was taken away.
  bool publish_some() { return ring_.staged() < kPublishEvery || queue_.publish_early(ring_); }

  // A buffer that was taken for the current packet. Its spans are spans_[first] and the following ones. The
  // chain is not read again. Each buffer has at least one span, so a packet has at most kMaxSpans buffers.
  struct Buffer {
    typename R::Head head;
    uint32_t first;  // of spans_
    uint32_t count;
    uint64_t size;
  };

  Outcome drop(Stat why) {
    stats_[why]++;
    retry_ = false;
    return Outcome::dropped;
  }
  Outcome fault(Reason reason) {
    queue_.latch(reason);
    return Outcome::fault;
  }

  // Takes the next chain into chain_. If it is malformed, it goes back to the driver, together with all
  // buffers that the packet has taken so far, in order and with length 0. `retry_` is then set, because
  // nothing of the packet was written yet.
  Outcome next_buffer() {
    if (ahead_.empty() && ahead_.fill(kLookahead) == 0)
      return ahead_.fault() != Reason::none ? fault(ahead_.fault()) : Outcome::no_room;
    const auto& entry = ahead_.front();
    head_ = entry.head;
    if (const Reason reason = ring_.take(head_); reason != Reason::none) return fault(reason);
    ahead_.pop();
    walker_.template walk<Access::write>(ring_.cursor(head_), entry.first, &chain_);
    if (chain_.fault != Reason::none) return fault(chain_.fault);
    if (queue_.malformed(walker_.long_chain_cost())) return fault(Reason::malformed_budget);
    walked_ += walker_.walked();
    stats_[stat_walked] += walker_.walked();
    if (chain_.drop != ChainDrop::none || chain_.total < header_length_) {
      for (uint32_t i = 0; i < buffers_count_; i++) ring_.complete(buffers_[i].head, 0);
      ring_.complete(head_, 0);
      stats_[stat_bad_buffers] += buffers_count_ + 1;
      if (queue_.malformed(buffers_count_ + 1)) return fault(Reason::malformed_budget);
      retry_ = true;
      return Outcome::dropped;
    }
    return Outcome::delivered;
  }

  // Gives back the buffers that the current packet has taken. `in_hand`: first the chain that was just
  // walked.
  void undo(bool in_hand) {
    if (in_hand) ring_.undo(head_);
    while (buffers_count_ > 0) ring_.undo(buffers_[--buffers_count_].head);
    ahead_.forget();
  }

  Outcome single(uint64_t need) {
    buffers_count_ = 0;
    span_count_ = 0;
    if (const Outcome got = next_buffer(); got != Outcome::delivered) return got;
    if (chain_.total < need) {
      undo(true);  // a smaller packet may use the buffer
      return drop(drop_rx_too_small);
    }
    keep();
    return Outcome::delivered;
  }

  Outcome collect(uint64_t need) {
    buffers_count_ = 0;
    span_count_ = 0;
    uint64_t have = 0;
    const uint32_t before = walked_;
    while (have < need) {
      const Outcome got = next_buffer();
      if (got == Outcome::no_room) {
        // If the packet has taken the whole ring, the ring is too small for it, and waiting would never end.
        const bool hopeless = slots_taken() == ring_.size();
        undo(false);
        return hopeless ? drop(drop_rx_too_small) : Outcome::no_room;
      }
      if (got != Outcome::delivered) return got;
      have += chain_.total;
      if (span_count_ + chain_.count > kMaxSpans || walked_ - before > kWalkBudget) {
        undo(true);
        return drop(drop_fragments);
      }
      keep();
    }
    return Outcome::delivered;
  }

  uint32_t slots_taken() const {
    uint32_t slots = 0;
    for (uint32_t i = 0; i < buffers_count_; i++) slots += buffers_[i].head.slots();
    return slots;
  }

  // Appends the spans of the walked chain to those of the packet's earlier buffers.
  void keep() {
    std::memcpy(spans_ + span_count_, chain_.spans, chain_.count * sizeof(Span));
    buffers_[buffers_count_++] = {head_, span_count_, chain_.count, chain_.total};
    span_count_ += chain_.count;
  }

  void fill_checksum(uint32_t slot, NetHeader* header, uint8_t* filled) {
    const SlotMeta& meta = pool_.meta(slot);
    const uint32_t start = header->csum_start;
    const uint16_t sum = internet_checksum(pool_.data(slot) + start, meta.length - start);
    std::memcpy(filled, &sum, 2);
    checksum_at_ = start + header->csum_offset;
    header->flags &= ~VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = header->csum_offset = 0;
    stats_[stat_checksums]++;
  }

  void fill(uint32_t slot, NetHeader header, const uint8_t* checksum) {
    const SlotMeta& meta = pool_.meta(slot);
    header.num_buffers = header_length_ == sizeof(NetHeader) ? static_cast<uint16_t>(buffers_count_) : 0;
    const uint8_t* data = pool_.data(slot);
    // The frame is split around its checksum, so that the packet itself, which others may hold, is not
    // changed.
    Segment segments[4] = {{reinterpret_cast<const uint8_t*>(&header), header_length_}, {data, meta.length}};
    if (checksum) {
      segments[1].size = checksum_at_;
      segments[2] = {checksum, 2};
      segments[3] = {data + checksum_at_ + 2, meta.length - checksum_at_ - 2};
    }
    scatter(segments, header_length_ + meta.length);
  }

  // During a migration: returns true if the first `left` bytes of the packet's buffers can be marked. It is
  // called before the write; mark() is called after the write and before the buffers are published.
  bool can_mark(uint64_t left) const {
    for (uint32_t i = 0; i < span_count_ && left > 0; i++) {
      const Span written{spans_[i].data, static_cast<uint32_t>(std::min<uint64_t>(spans_[i].size, left))};
      if (!queue_.memory().can_mark(written)) return false;
      left -= written.size;
    }
    return true;
  }
  void mark(uint64_t left) const {
    for (uint32_t i = 0; i < span_count_ && left > 0; i++) {
      const Span written{spans_[i].data, static_cast<uint32_t>(std::min<uint64_t>(spans_[i].size, left))};
      queue_.memory().mark(written);
      left -= written.size;
    }
  }

  void scatter(Segment* segment, uint32_t left) {
    for (uint32_t b = 0; b < buffers_count_; b++) {
      const Buffer& buffer = buffers_[b];
      SpanWriter writer;
      writer.add(spans_ + buffer.first, buffer.count);
      const uint32_t want = static_cast<uint32_t>(std::min<uint64_t>(buffer.size, left));
      for (uint32_t put = 0; put < want;) {
        const uint32_t n = writer.write(segment->data, std::min(segment->size, want - put));
        put += n;
        segment->data += n;
        segment->size -= n;
        if (segment->size == 0) segment++;
      }
      ring_.complete(buffer.head, want);
      left -= want;
    }
    queue_.well_formed();
  }

  Virtqueue& queue_;
  R& ring_;
  Pool& pool_;
  uint64_t* const stats_;
  const uint64_t features_;
  const uint32_t header_length_;
  const bool mergeable_;
  const uint32_t mtu_;
  // Longer packets take the slow path. It is 0, so that all packets do, while a migration logs buffers.
  const uint32_t plain_most_;
  bool retry_ = false;
  typename R::Head head_{};  // of the chain in hand
  uint32_t walked_ = 0;      // descriptors, of all chains in this burst
  Lookahead<R, Access::write> ahead_;
  ChainWalker walker_;
  uint32_t buffers_count_ = 0;
  uint32_t span_count_ = 0;
  uint32_t checksum_at_ = 0;
  Chain chain_;
  Buffer buffers_[kMaxSpans];
  Span spans_[kMaxSpans];
};

// JavaScript can write a packet's metadata, too. A packet with inconsistent metadata is dropped.
bool sound(const SlotMeta& m) {
  if (m.length < kMinPacket) return false;
  return !(m.header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
         uint32_t{m.header.csum_start} + m.header.csum_offset + 2 <= m.length;
}

// Always inline, as in enqueue_burst(): the compiler does not inline a function with such a large stack
// frame, and the call would cost a short burst one percent.
template <Ring R>
__attribute__((always_inline)) inline uint32_t fill(Virtqueue& queue, R& ring, Pool& pool,
                                                    const uint32_t* slots, uint32_t count, uint32_t mtu) {
  using Queue = Enqueuer<R>;
  Queue enqueuer(queue, ring, pool, mtu);
  uint64_t* stats = queue.stats();
  const FramesBefore before(stats);
  const bool wiped = ring.wiped();
  const uint32_t most = wiped ? 0 : std::min(count, kMaxBurst);
  uint32_t taken = 0, dropped = 0, result = wiped ? uint32_t{kBurstMore} : 0;
  uint64_t bytes = 0;
  for (; taken < most; taken++) {
    const uint32_t slot = slots[taken];
    const SlotMeta* meta = pool.held(slot);
    if (meta == nullptr || !sound(*meta)) {
      stats[drop_runt]++;
      dropped++;
      continue;
    }
    const typename Queue::Outcome outcome = enqueuer.one(slot, *meta, most - taken);
    if (__builtin_expect(outcome == Queue::Outcome::delivered, 1)) {
      bytes += meta->length;
      continue;
    }
    if (outcome == Queue::Outcome::no_room) result = kBurstMore;
    if (outcome == Queue::Outcome::no_room || outcome == Queue::Outcome::fault) break;
    dropped++;
  }
  const uint32_t delivered = taken - dropped;
  if (queue.revoked()) {
    before.restore();
    stats[drop_revoked] += delivered;
    return kBurstFault | taken;
  }
  queue.finish_burst(ring);
  queue.count_burst(taken);
  stats[stat_packets] += delivered;
  stats[stat_bytes] += bytes;
  if (queue.fault() != Reason::none) result |= kBurstFault;
  return result | taken;
}

}  // namespace

uint32_t enqueue_burst(Virtqueue& queue, Pool& pool, const uint32_t* slots, uint32_t count,
                       Counters* counters, uint32_t mtu) {
  Virtqueue::Use use(queue, counters);
  if (!use) return queue.fault() != Reason::none ? kBurstFault | kBurstStopped : kBurstStopped;
  return queue.visit([&](auto& ring) __attribute__((always_inline)) {
    return fill(queue, ring, pool, slots, count, mtu);
  });
}

}  // namespace rxvhost
