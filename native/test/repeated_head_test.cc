// Repeated heads (F4). A driver must not offer a head again before it is used, and this is detected at any
// place in a burst. But a driver may offer a head again as soon as it is used, even during the same burst.
#include <array>
#include <random>

#include "test/hand_ring.h"

namespace rxvhost::test {
namespace {

constexpr uint32_t kFrame = 100;

void describe(HandRing& ring, bool to_guest, uint32_t length = kFrame + 12) {
  const uint16_t flags = to_guest ? VRING_DESC_F_WRITE : 0;
  for (uint32_t i = 0; i < ring.size; i++)
    ring.table()[i] = {kGuest + HandRing::kBuffers + 256 * i, length, flags, 0};
}

// Moves a burst in either direction. `slots` are the packets to enqueue, or they receive the dequeued
// packets.
uint32_t burst(HandRing& ring, bool to_guest, uint32_t max, uint32_t* slots) {
  if (!to_guest) return dequeue_burst(ring.queue, ring.pool, 1, max, slots);
  for (uint32_t i = 0; i < max; i++) {
    const int32_t slot = ring.pool.take(kFrame, 1);
    check(slot >= 0, "a slot is free");
    slots[i] = static_cast<uint32_t>(slot);
    ring.pool.meta(slot).header = {};
  }
  return enqueue_burst(ring.queue, ring.pool, slots, max);
}

void give_back(HandRing& ring, const uint32_t* slots, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) ring.pool.give_back(slots[i]);
}

void at_any_distance() {
  for (bool to_guest : {false, true})
    for (uint32_t distance : {1, 2, 31, 32, 33, 63, 64, 65, 127, 255})
      for (uint32_t first : {0, 1, 30, 31, 32}) {
        if (first + distance >= kMaxBurst) continue;
        HandRing ring(256);
        describe(ring, to_guest);
        uint16_t head = 0;
        for (uint32_t i = 0; i < kMaxBurst; i++)
          ring.offer(i == first + distance ? static_cast<uint16_t>(first) : head++);
        uint32_t slots[kMaxBurst];
        const uint32_t result = burst(ring, to_guest, kMaxBurst, slots);
        check(result & kBurstFault && ring.queue.fault() == Reason::head_dup,
              "the repeated head is detected");
        check((result & kBurstCount) == first + distance, "the burst ends just before the repeated head");
      }
}

void over_bursts() {
  for (bool to_guest : {false, true}) {
    HandRing ring(256);
    describe(ring, to_guest);
    for (uint16_t head : {0, 1, 2, 0}) ring.offer(head);
    uint32_t slots[kMaxBurst];
    for (uint32_t i = 0; i < 3; i++)
      check((burst(ring, to_guest, 1, slots) & kBurstCount) == 1, "the first three heads give three packets");
    check(burst(ring, to_guest, 1, slots) & kBurstFault && ring.queue.fault() == Reason::head_dup,
          "the fourth entry repeats a head of the same available index");
  }
}

// A packet needs two mergeable buffers, but the driver offers the first buffer again as the second one.
void within_a_packet() {
  HandRing ring(256, kModern | feature(VIRTIO_NET_F_MRG_RXBUF));
  describe(ring, true, 60);
  ring.offer(7);
  uint32_t slots[kMaxBurst];
  check((burst(ring, true, 1, slots) & kBurstCount) == 0, "one buffer is too small for the packet");
  ring.offer(7);
  const uint32_t result = burst(ring, true, 1, slots);
  check(result & kBurstFault && ring.queue.fault() == Reason::head_dup, "the repeated head is detected");
}

// Simulates a driver on another vCPU. After any load of ours, the driver may take back the heads that we have
// published as used, and offer them again in any order.
struct Driver {
  HandRing* ring;
  std::mt19937_64 random{20261126};
  std::vector<uint16_t> free;
  uint16_t used = 0;
  bool eager = false;

  void run() {
    if (!eager && random() % 8 != 0) return;
    for (; used != __atomic_load_n(&ring->used()->idx, __ATOMIC_ACQUIRE); used++)
      free.push_back(static_cast<uint16_t>(ring->used()->ring[used % ring->size].id));
    uint64_t count = eager ? free.size() : random() % (free.size() + 1);
    for (; count > 0; count--) {
      std::swap(free[random() % free.size()], free.back());
      ring->offer(free.back());
      free.pop_back();
    }
  }
};
Driver* driver = nullptr;

void correct_driver() {
  for (bool to_guest : {false, true})
    for (uint32_t size : {4, 32, 64, 256})
      for (bool eager : {false, true}) {
        HandRing ring(size);
        describe(ring, to_guest);
        Driver one{&ring};
        one.eager = eager;
        for (uint32_t i = 0; i < size; i++) one.free.push_back(static_cast<uint16_t>(i));
        driver = &one;
        probe_guest_load = [](const void*, size_t) { driver->run(); };
        one.run();
        uint64_t moved = 0;
        for (int round = 0; round < 300; round++) {
          const uint32_t max = eager ? kMaxBurst : 1 + static_cast<uint32_t>(one.random() % kMaxBurst);
          uint32_t slots[kMaxBurst];
          const uint32_t result = burst(ring, to_guest, max, slots);
          check(!(result & kBurstFault) && ring.queue.fault() == Reason::none,
                "a correct driver causes no fault");
          moved += result & kBurstCount;
          give_back(ring, slots, to_guest ? max : result & kBurstCount);
        }
        probe_guest_load = nullptr;
        // A burst has more packets than a small ring has heads, so heads must be offered again and taken in
        // the same burst.
        check(!eager || size < 64 || moved == 300 * kMaxBurst,
              "a burst continues with heads that are offered again");
      }
}

// The counter that numbers the heads starts again from time to time. Both rules must still hold after that,
// for heads that are used all the time and for a head that was never used.
void after_many_packets() {
  constexpr uint32_t kSize = 64, kBatch = 32;
  constexpr uint64_t kPackets = uint64_t{3} << 24;
  alignas(16) std::array<vring_desc, kSize> table{};
  alignas(4) uint8_t available[6 + 2 * kSize] = {}, used[6 + 8 * kSize] = {};
  auto* avail = reinterpret_cast<vring_avail*>(available);
  SplitRing ring;
  ring.start({reinterpret_cast<uint8_t*>(table.data()), available, used}, kSize, 0, false);
  const auto offer = [&](uint16_t head) { avail->ring[avail->idx++ % kSize] = head; };
  const auto take = [&](uint32_t count) {
    SplitRing::Head heads[kBatch];
    check(ring.peek(count, heads).count == count, "all offered heads are available");
    for (uint32_t i = 0; i < count; i++) {
      if (const Reason reason = ring.take(heads[i]); reason != Reason::none) return reason;
      ring.complete(heads[i], 0);
    }
    return Reason::none;
  };
  for (uint64_t moved = 0; moved < kPackets; moved += kBatch) {
    for (uint16_t i = 0; i < kBatch; i++) offer(i);
    check(take(kBatch) == Reason::none, "a head that was used may be offered again");
    ring.publish();
    check(ring.base() == static_cast<uint16_t>(moved + kBatch), "the index increases");
  }
  offer(kSize - 1);
  check(take(1) == Reason::none, "a head that was never used may be offered");
  offer(kSize - 1);
  check(take(1) == Reason::head_dup, "a head that is not published as used may not be offered again");
}

const Register tests[] = {
    {"hostile F4: a head that is twice in one burst is detected at any distance", at_any_distance},
    {"hostile F4: a repeated head is detected in a later burst", over_bursts},
    {"hostile F4: a repeated head is detected within one packet", within_a_packet},
    {"hostile F4: a head that is offered again after it was used causes no fault", correct_driver},
    {"hostile F4: repeated heads are still detected after many millions of packets", after_many_packets},
};

}  // namespace
}  // namespace rxvhost::test
