// What the bursts promise where speed was bought: the pool holds its borders whatever JavaScript wrote into
// the arrays that it shares, long chains take bounded work, and nothing is published of memory that was taken
// away.

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
    check(pool.take(length, 1) >= 0, "a slot is there");
    // Ids of the other class, and of none.
    for (uint32_t id : {large ? 0 : pool.slots() - 1, pool.slots(), UINT32_MAX}) {
      auto* list = static_cast<uint32_t*>(area.data);
      for (size_t i = 0; i < area.size / sizeof *list; i++) list[i] = id;
      check(pool.take(length, 1) == -1, "an id that is none of the class is not taken");
      SlotTaker taker(pool, 1);
      check(taker.take(length) == -1, "nor in a burst");
    }
    // Slots that grew beyond all that there are.
    cursors->grown[large] = cursors->count[large] + 7;
    cursors->free[large].head = cursors->free[large].tail;
    for (int i = 0; i < 300; i++) {
      const int32_t slot = pool.take(length, 1);
      check(slot < 0 || pool.holds(static_cast<uint32_t>(slot)), "what is taken is inside the pool");
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
  check(slot >= 0, "a slot is there");
  ring.pool.meta(slot).header = {};
  const auto id = static_cast<uint32_t>(slot);
  const uint32_t result = enqueue_burst(ring.queue, ring.pool, &id, 1);
  check(ring.queue.fault() == Reason::none && !(result & kBurstFault), "buffers that are small are no fault");
  check((result & kBurstCount) == 1, "the packet is taken");
  check(ring.queue.stats()[drop_fragments] == 1, "it is dropped, and counted");
  check(ring.used()->idx == 0 && ring.queue.stats()[stat_bad_buffers] == 0, "the buffers stay");
}

uint64_t loaded = 0;
void count_loads(const void*, size_t size) { loaded += size; }

// Chains whose last descriptor alone holds bytes: each is a good packet, and refills the budget of malformed
// ones.
void long_good_chains(bool to_guest) {
  constexpr uint32_t kLong = 32768;
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
  // A burst may take what 256 chains of 256 descriptors are, and the chain in which it gets there.
  constexpr uint64_t kMost = 16 * (uint64_t{kMaxBurst} * kTollDescriptors + kLong + 2 * kMaxBurst);
  uint32_t moved = 0, bursts = 0;
  while (moved < kMaxBurst && bursts++ < kMaxBurst) {
    loaded = 0;
    probe_guest_load = count_loads;
    const uint32_t result = to_guest ? enqueue_burst(ring.queue, ring.pool, slots + moved, kMaxBurst - moved)
                                     : ring.dequeue(slots);
    probe_guest_load = nullptr;
    moved += result & kBurstCount;
    check(loaded < kMost, "the work of a burst is bounded");
    check((result & kBurstCount) > 0 && !(result & kBurstFault),
          "each burst moves something, without a fault");
    check(moved == kMaxBurst || result & kBurstMore, "it says that there is more");
    if (to_guest && moved < kMaxBurst) check(ring.queue.arm_kick(), "and must not sleep on that");
    check(!ring.queue.arm_kick() || !to_guest, "which is said once");
  }
  check(moved == kMaxBurst, "all are moved");
}

// Many chains that are each a little too short to be called long. Those without a byte are given back as
// malformed, as many in a row as the budget allows; those with one tiny buffer never hold a large packet.
void many_middling_chains(bool with_bytes) {
  constexpr uint32_t kRing = 32768, kMiddling = kTollDescriptors - 2, kGoodEvery = kMalformedBudget - 1;
  HandRing ring(kRing, kModern | feature(VIRTIO_NET_F_MRG_RXBUF));
  const uint64_t table = HandRing::kBuffers, bytes = table + 8192;
  for (uint16_t i = 0; i < kMiddling; i++)
    ring.table(table)[i] = {0, 0, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, static_cast<uint16_t>(i + 1)};
  ring.table(table)[kMiddling - 1] = {kGuest + bytes, with_bytes ? 12u : 0u, VRING_DESC_F_WRITE, 0};
  for (uint32_t i = 0; i < kRing; i++) {
    const bool good = !with_bytes && i % kGoodEvery == kGoodEvery - 1;
    ring.table()[i] = good ? vring_desc{kGuest + bytes, 4096, VRING_DESC_F_WRITE, 0}
                           : vring_desc{kGuest + table, 16 * kMiddling, VRING_DESC_F_INDIRECT, 0};
    ring.offer(static_cast<uint16_t>(i));
  }
  constexpr uint32_t kPackets = 16;
  uint32_t slots[kPackets];
  for (uint32_t& slot : slots) {
    slot = static_cast<uint32_t>(ring.pool.take(with_bytes ? 65000 : 100, 1));
    ring.pool.meta(slot).header = {};
  }
  // What 256 chains of 256 descriptors are, and the packet in hand when it gets there.
  constexpr uint64_t kMost = 16 * uint64_t{kMaxBurst + kMaxSpans + 1} * kTollDescriptors;
  uint32_t moved = 0, bursts = 0;
  while (moved < kPackets && bursts++ < kPackets * kMaxBurst) {
    loaded = 0;
    probe_guest_load = count_loads;
    const uint32_t result = enqueue_burst(ring.queue, ring.pool, slots + moved, kPackets - moved);
    probe_guest_load = nullptr;
    moved += result & kBurstCount;
    check(!(result & kBurstFault), "it is no fault");
    check(loaded < kMost, "the work of a burst is bounded");
    if (moved < kPackets) check(ring.queue.arm_kick(), "and must not sleep on what is left");
  }
  check(moved == kPackets, "all are moved");
  check(ring.queue.stats()[stat_packets] == (with_bytes ? 0 : kPackets), "those that fit arrive");
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
        "the ring is latched, and says why");
  check(ring.used()->idx == 0, "nothing was published");
  check(ring.queue.stats()[stat_packets] == 0, "nothing was moved");
  check(to_guest || ((result & kBurstCount) == 0 && ring.pool.account(1).packets == 0), "no lease is left");
  check(dequeue_burst(ring.queue, ring.pool, 1, 32, slots) & kBurstStopped, "and it stays latched");
}

// Another ring's burst may find the memory poisoned that this one moves to.
void moved_onto_poison() {
  HandRing ring(256);
  Fd file(memfd_create("later", MFD_CLOEXEC));
  check(ftruncate(file.get(), 4096) == 0, "the file has its size");
  std::shared_ptr<const MemorySnapshot> next;
  const auto now = std::make_shared<const MemorySnapshot>(ring.queue.memory());
  check(add(now, {0x4000'0000, 4096, 4 * kUser, 0}, Fd(fcntl(file.get(), F_DUPFD_CLOEXEC, 3)), &next) ==
            Reason::none,
        "a region is added");
  check(ftruncate(file.get(), 0) == 0, "its file is truncated");
  *const_cast<volatile uint8_t*>(next->regions().back().host) = 1;
  check(next->poisoned(), "somebody touched it");
  uint32_t slots[kMaxBurst];
  check(ring.dequeue(slots) == 0, "which is nothing to a ring that runs without it");
  check(ring.queue.move(next) == Reason::none, "the ring moves");
  check(ring.dequeue(slots) & kBurstFault && ring.queue.fault() == Reason::memory_revoked, "now it is");
}

const Register pool_class("pool: ids in a free list that are not of its class are never given out",
                          wrong_class);
const Register f31(
    "hostile F31: a packet that needs more buffers than are looked at is dropped, the ring goes on",
    many_small_buffers);
const Register f13("hostile F13: long chains that end well are moved, a few in a burst", [] {
  for (bool to_guest : {false, true}) long_good_chains(to_guest);
});
const Register f13_middling("hostile F13: no number of chains that are nearly long holds up a burst", [] {
  for (bool with_bytes : {false, true}) many_middling_chains(with_bytes);
});
const Register c7_publish("hostile C7: of memory that was taken away nothing is published, early or late",
                          [] {
                            for (bool to_guest : {false, true}) publish_after_revocation(to_guest);
                          });
const Register c7_move("hostile C7: a ring that moves onto memory that was taken away is latched",
                       moved_onto_poison);

}  // namespace
}  // namespace rxvhost::test
