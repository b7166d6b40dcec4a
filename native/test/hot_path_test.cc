// Safety properties of the optimized paths. The pool never gives out a slot outside its memory, whatever
// JavaScript writes into the shared arrays. Long chains take limited work. No chain is published after its
// memory is missing.

#include "test/hand_ring.h"

namespace rxvhost::test {
namespace {

void wrong_class() {
  for (bool large : {false, true}) {
    Pool pool;
    check(pool.open(64 << 20), "the pool opens");
    open_account(pool, 1);
    const auto area = pool.free_area(large ? Pool::large : Pool::small);
    const auto cursors = static_cast<PoolCursors*>(pool.cursors_area().data);
    const uint32_t length = large ? kMaxPacket : 1000;
    check(pool.take(length, 1) >= 0, "a slot is free");
    // Ids of the other slot size, and invalid ids.
    for (uint32_t id : {large ? 0 : pool.slots() - 1, pool.slots(), UINT32_MAX}) {
      auto* list = static_cast<uint32_t*>(area.data);
      for (size_t i = 0; i < area.size / sizeof *list; i++) list[i] = id;
      check(pool.take(length, 1) == -1, "take() refuses an id that does not belong to this slot size");
      SlotTaker taker(pool, 1);
      check(taker.take(length) == -1, "a burst refuses an id that does not belong to this slot size");
    }
    // The cursor `grown` is larger than the number of slots.
    cursors->grown[large] = cursors->count[large] + 7;
    cursors->free[large].head = cursors->free[large].tail;
    for (int i = 0; i < 300; i++) {
      const int32_t slot = pool.take(length, 1);
      check(slot < 0 || pool.holds(static_cast<uint32_t>(slot)), "take() gives only slots inside the pool");
    }
  }
}

void many_small_buffers() {
  HandRing ring(2048, kModern | feature(VIRTIO_NET_F_MRG_RXBUF));
  for (uint16_t i = 0; i < 2048; i++) {
    ring.table()[i] = {kGuest + HandRing::kBuffers + 64u * i, 40, VRING_DESC_F_WRITE, 0};
    ring.offer(i);
  }
  const int32_t slot = ring.pool.take(65000, 1);
  check(slot >= 0, "a slot is free");
  ring.pool.meta(slot).header = {};
  const auto id = static_cast<uint32_t>(slot);
  const uint32_t result = enqueue_burst(ring.queue, ring.pool, &id, 1);
  check(ring.queue.fault() == Reason::none && !(result & kBurstFault), "small buffers cause no fault");
  check((result & kBurstCount) == 1, "the packet is taken");
  check(ring.queue.stats()[drop_fragments] == 1, "the packet is dropped and counted");
  check(ring.used()->idx == 0 && ring.queue.stats()[stat_bad_buffers] == 0, "the buffers stay available");
}

uint64_t loaded = 0;
void count_loads(const void*, size_t size) { loaded += size; }

// In these chains only the last descriptor has bytes. Each chain is a good packet, so it resets the count of
// malformed chains.
void long_good_chains(bool to_guest) {
  constexpr uint32_t kLong = kMaxSpans;
  HandRing ring(256);
  const uint64_t at = HandRing::kBuffers;
  const uint16_t flags = to_guest ? VRING_DESC_F_WRITE : 0;
  for (uint32_t i = 0; i < kLong; i++)
    ring.table(at)[i] = {0, 0, static_cast<uint16_t>(flags | VRING_DESC_F_NEXT),
                         static_cast<uint16_t>(i + 1)};
  ring.table(at)[kLong - 1] = {kGuest + HandRing::kBuffers + (1 << 20), 200, flags, 0};
  for (uint16_t i = 0; i < 256; i++) {
    ring.table()[i] = {kGuest + at, 16 * kLong, VRING_DESC_F_INDIRECT, 0};
    ring.offer(i);
  }
  uint32_t slots[kMaxBurst];
  if (to_guest)
    for (uint32_t& slot : slots) {
      slot = static_cast<uint32_t>(ring.pool.take(100, 1));
      ring.pool.meta(slot).header = {};
    }
  // The limit of a burst, and the rest of the chain that reaches it.
  constexpr uint64_t kMost = 16 * uint64_t{kWalkBudget + kLong + 2 * kMaxBurst};
  uint32_t moved = 0, bursts = 0;
  while (moved < kMaxBurst && bursts++ < kMaxBurst) {
    loaded = 0;
    probe_guest_load = count_loads;
    const uint32_t result = to_guest ? enqueue_burst(ring.queue, ring.pool, slots + moved, kMaxBurst - moved)
                                     : ring.dequeue(slots);
    probe_guest_load = nullptr;
    moved += result & kBurstCount;
    check(loaded < kMost, "the work of a burst is limited");
    check((result & kBurstCount) > 0 && !(result & kBurstFault),
          "each burst moves packets and causes no fault");
    check(moved == kMaxBurst || result & kBurstMore, "the burst reports that the ring has more");
    if (to_guest && moved < kMaxBurst) check(ring.queue.arm_kick(), "arm_kick() reports that buffers remain");
    check(!ring.queue.arm_kick() || !to_guest, "arm_kick() reports the remaining buffers only once");
  }
  check(moved == kMaxBurst, "all packets are moved");
}

// A table that is longer than a packet's chain may be is not read to its end, and the packet is dropped.
void too_long_table() {
  constexpr uint32_t kTable = 32768;
  HandRing ring(256);
  const uint64_t at = HandRing::kBuffers;
  for (uint32_t i = 0; i < kTable; i++)
    ring.table(at)[i] = {0, 0, VRING_DESC_F_NEXT, static_cast<uint16_t>(i + 1)};
  ring.table(at)[0] = {kGuest + HandRing::kBuffers + (1 << 20), 200, VRING_DESC_F_NEXT, 1};
  ring.table(at)[kTable - 1].flags = 0;
  ring.table()[0] = {kGuest + at, 16 * kTable, VRING_DESC_F_INDIRECT, 0};
  ring.offer(0);
  uint32_t slots[kMaxBurst];
  loaded = 0;
  probe_guest_load = count_loads;
  const uint32_t result = ring.dequeue(slots);
  probe_guest_load = nullptr;
  check((result & kBurstCount) == 0 && !(result & kBurstFault), "the packet is dropped, without a fault");
  check(ring.queue.stats()[drop_fragments] == 1, "and counted");
  check(loaded < 16 * uint64_t{kMaxSpans + 16}, "the table is not read to its end");
}

// Many chains that are each a little too short to count as long. Chains without a byte are returned as
// malformed, as many in a row as kMalformedBudget allows. Chains with one tiny buffer can never hold a large
// packet.
void many_medium_chains(bool with_bytes) {
  constexpr uint32_t kRing = 32768, kMedium = kLongChain - 2, kGoodEvery = kMalformedBudget - 1;
  HandRing ring(kRing, kModern | feature(VIRTIO_NET_F_MRG_RXBUF));
  const uint64_t table = HandRing::kBuffers, bytes = table + 8192;
  for (uint16_t i = 0; i < kMedium; i++)
    ring.table(table)[i] = {0, 0, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, static_cast<uint16_t>(i + 1)};
  ring.table(table)[kMedium - 1] = {kGuest + bytes, with_bytes ? 12u : 0u, VRING_DESC_F_WRITE, 0};
  for (uint32_t i = 0; i < kRing; i++) {
    const bool good = !with_bytes && i % kGoodEvery == kGoodEvery - 1;
    ring.table()[i] = good ? vring_desc{kGuest + bytes, 4096, VRING_DESC_F_WRITE, 0}
                           : vring_desc{kGuest + table, 16 * kMedium, VRING_DESC_F_INDIRECT, 0};
    ring.offer(static_cast<uint16_t>(i));
  }
  constexpr uint32_t kPackets = 16;
  uint32_t slots[kPackets];
  for (uint32_t& slot : slots) {
    slot = static_cast<uint32_t>(ring.pool.take(with_bytes ? 65000 : 100, 1));
    ring.pool.meta(slot).header = {};
  }
  // The limit of a burst, and that of the packet that reaches it.
  constexpr uint64_t kMost = 16 * uint64_t{2 * kWalkBudget + 2 * kLongChain + 2 * kMaxBurst};
  uint32_t moved = 0, bursts = 0;
  while (moved < kPackets && bursts++ < kPackets * kMaxBurst) {
    loaded = 0;
    probe_guest_load = count_loads;
    const uint32_t result = enqueue_burst(ring.queue, ring.pool, slots + moved, kPackets - moved);
    probe_guest_load = nullptr;
    moved += result & kBurstCount;
    check(!(result & kBurstFault), "the chains cause no fault");
    check(loaded < kMost, "the work of a burst is limited");
    if (moved < kPackets) check(ring.queue.arm_kick(), "arm_kick() reports that buffers remain");
  }
  check(moved == kPackets, "all packets are moved");
  check(ring.queue.stats()[stat_packets] == (with_bytes ? 0 : kPackets), "packets that fit arrive");
}

void publish_after_revocation(bool to_guest) {
  HandRing ring(256);
  const uint16_t flags = to_guest ? VRING_DESC_F_WRITE : 0;
  for (uint16_t i = 0; i < 128; i++) {
    ring.table()[i] = {HandRing::kFar + 4096u * i, 200, flags, 0};
    ring.offer(i);
  }
  uint32_t slots[kMaxBurst];
  if (to_guest)
    for (uint32_t i = 0; i < 128; i++) {
      slots[i] = static_cast<uint32_t>(ring.pool.take(100, 1));
      ring.pool.meta(slots[i]).header = {};
    }
  check(ftruncate(ring.far.get(), 0) == 0, "the file behind the buffers is truncated");
  const uint32_t result = to_guest ? enqueue_burst(ring.queue, ring.pool, slots, 128) : ring.dequeue(slots);
  check(result & kBurstFault && ring.queue.fault() == Reason::memory_revoked,
        "the ring is latched with the right reason");
  check(ring.used()->idx == 0, "no chain is published");
  check(ring.queue.stats()[stat_packets] == 0, "no packet is moved");
  check(to_guest || ((result & kBurstCount) == 0 && ring.pool.account(1).packets == 0), "no lease is left");
  check(dequeue_burst(ring.queue, ring.pool, 1, 32, slots) & kBurstStopped, "the ring stays latched");
}

// A ring moves to memory that an earlier access, for instance of another ring, has poisoned.
void moved_onto_poison() {
  HandRing ring(256);
  Fd file(memfd_create("later", MFD_CLOEXEC));
  check(ftruncate(file.get(), 4096) == 0, "the file has its size");
  std::shared_ptr<const MemorySnapshot> next;
  const auto now = std::make_shared<const MemorySnapshot>(ring.queue.memory());
  check(add(now, {0x4000'0000, 4096, 4 * kUser, 0}, Fd(fcntl(file.get(), F_DUPFD_CLOEXEC, 3)), &next) ==
            Reason::none,
        "a region is added");
  check(ftruncate(file.get(), 0) == 0, "the region's file is truncated");
  *const_cast<volatile uint8_t*>(next->regions().back().host) = 1;
  check(next->poisoned(), "an access poisons the region");
  uint32_t slots[kMaxBurst];
  check(ring.dequeue(slots) == 0, "the poison does not affect a ring that runs without the region");
  check(ring.queue.move(next) == Reason::none, "the ring moves to the memory with the region");
  check(ring.dequeue(slots) & kBurstFault && ring.queue.fault() == Reason::memory_revoked,
        "the ring is latched after the move");
}

const Register pool_class("pool: invalid ids in a free list are never given out", wrong_class);
const Register f31("hostile F31: a packet that needs too many buffers is dropped, and the ring still runs",
                   many_small_buffers);
const Register f13("hostile F13: long valid chains are moved, and the work of a burst is limited", [] {
  for (bool to_guest : {false, true}) long_good_chains(to_guest);
});
const Register f13_table("hostile F13: a table that is too long is not read to its end", too_long_table);
const Register f13_medium("hostile F13: the work of a burst is limited if many chains are almost long", [] {
  for (bool with_bytes : {false, true}) many_medium_chains(with_bytes);
});
const Register c7_publish("hostile C7: no chain is published after its memory is missing", [] {
  for (bool to_guest : {false, true}) publish_after_revocation(to_guest);
});
const Register c7_move("hostile C7: a ring that moves to memory with a missing page is latched",
                       moved_onto_poison);

}  // namespace
}  // namespace rxvhost::test
