// spin_wait() at an empty ring. It makes guesses from memory that a hostile guest can write. Wrong guesses
// may cost time, but they must have no other effect.
#include "core/net/spin_wait.h"

#include <array>
#include <cstring>

#include "test/hand_ring.h"

namespace rxvhost::test {
namespace {

constexpr std::chrono::nanoseconds kNone{0};

std::chrono::nanoseconds wait_at(HandRing& from, HandRing& to) {
  Virtqueue* const sinks[] = {&to.queue};
  return spin_wait(from.queue, from.pool, sinks);
}

// All state that a guest or JavaScript can see.
struct Seen {
  std::array<uint8_t, 1 << 16> used;
  Reason fault;
  uint32_t cursors;

  explicit Seen(HandRing& ring) : fault(ring.queue.fault()) {
    std::memcpy(used.data(), ring.used(), used.size());
    cursors = static_cast<PoolCursors*>(ring.pool.cursors_area().data)->free[Pool::small].head;
  }
  bool operator==(const Seen&) const = default;
};

void invalid_entries() {
  const vring_desc descriptors[] = {
      {0, 0, 0, 0},
      {UINT64_MAX, UINT32_MAX, 0xffff, 0xffff},
      {UINT64_MAX - 10, 100, 0, 0},
      {kGuest + HandRing::kSize - 1, 4096, VRING_DESC_F_WRITE, 0},  // the last byte of a region
      {kGuest + HandRing::kSize, 4096, 0, 0},                       // the byte after the region
      {kGuest, UINT32_MAX, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 7},
  };
  for (const vring_desc& d : descriptors)
    for (const uint16_t head : {0, 255, 256, 0xffff}) {
      HandRing from(256), to(256);
      for (HandRing* ring : {&from, &to}) {
        for (uint16_t i = 0; i < 256; i++) ring->table()[i] = d;
        for (uint16_t i = 0; i < 256; i++) ring->avail()->ring[i] = head;
      }
      const Seen from_before(from), to_before(to);
      check(wait_at(from, to) > kNone, "spin_wait() waited");
      check(Seen(from) == from_before && Seen(to) == to_before, "no visible state has changed");
      check(from.queue.running() && to.queue.running(), "the rings still run");
    }
}

void wrong_guess() {
  HandRing from(256), to(256);
  from.table()[3] = {kGuest + HandRing::kBuffers, 100, 0, 0};
  from.avail()->ring[0] = 3;
  to.table()[0] = {kGuest + HandRing::kBuffers, 2048, VRING_DESC_F_WRITE, 0};
  to.offer(0);
  check(wait_at(from, to) > kNone, "spin_wait() waited, because the ring is empty");
  std::memset(from.base + HandRing::kBuffers + 4096 + 12, 0x5a, 88);
  from.table()[7] = {kGuest + HandRing::kBuffers + 4096, 100, 0, 0};
  from.offer(7);
  check(wait_at(from, to) == kNone, "spin_wait() does not wait, because the ring has a packet");
  uint32_t slots[kMaxBurst];
  check((from.dequeue(slots) & kBurstCount) == 1, "a packet is dequeued");
  check(from.used()->ring[0].id == 7, "the packet has the head that the driver offered");
  check(from.pool.data(slots[0])[0] == 0x5a, "the packet is from the buffer of this head");
  // Enqueue a copy of the packet. Its buffer was prefetched.
  std::memcpy(to.pool.data(static_cast<uint32_t>(to.pool.take(88, 1))), from.pool.data(slots[0]), 88);
  const uint32_t copy = 0;
  to.pool.meta(copy).header = {};
  check((enqueue_burst(to.queue, to.pool, &copy, 1) & kBurstCount) == 1 && to.used()->idx == 1,
        "the packet is enqueued");
  check(to.base[HandRing::kBuffers + 12] == 0x5a, "the enqueued packet is unchanged");
}

void at_rest() {
  HandRing from(256), to(256);
  to.queue.stop();
  check(wait_at(from, to) > kNone, "a sink that does not run is skipped");
  from.queue.stop();
  check(wait_at(from, to) == kNone, "spin_wait() does not wait at a ring that does not run");
}

void taken_away() {
  HandRing from(256), to(256);
  check(ftruncate(from.file.get(), 0) == 0 && ftruncate(to.file.get(), 0) == 0, "the files are truncated");
  wait_at(from, to);
  uint32_t slots[kMaxBurst];
  check(from.dequeue(slots) & kBurstFault && from.queue.fault() == Reason::memory_revoked,
        "the ring is latched with the right reason");
}

const Register c_invalid("hostile F25: spin_wait() has no effect on a ring with invalid entries",
                         invalid_entries);
const Register c_guess("after a wrong guess of spin_wait(), the packet is the one that the driver offered",
                       wrong_guess);
const Register c_rest("spin_wait() skips rings that do not run", at_rest);
const Register c7("hostile C7: a file that is truncated before spin_wait() latches the ring", taken_away);

}  // namespace
}  // namespace rxvhost::test
