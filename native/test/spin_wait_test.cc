// Waiting at an empty ring: it guesses from what lies in a hostile guest's memory, so whatever that says
// nothing may come of it but time.
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

// All that a guest or JavaScript could see of it.
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

void lies() {
  const vring_desc descriptors[] = {
      {0, 0, 0, 0},
      {UINT64_MAX, UINT32_MAX, 0xffff, 0xffff},
      {UINT64_MAX - 10, 100, 0, 0},
      {kGuest + HandRing::kSize - 1, 4096, VRING_DESC_F_WRITE, 0},  // the last byte of a region
      {kGuest + HandRing::kSize, 4096, 0, 0},                       // behind it
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
      check(wait_at(from, to) > kNone, "it waited");
      check(Seen(from) == from_before && Seen(to) == to_before, "nothing has come of it");
      check(from.queue.running() && to.queue.running(), "the rings run on");
    }
}

void wrong_guess() {
  HandRing from(256), to(256);
  from.table()[3] = {kGuest + HandRing::kBuffers, 100, 0, 0};
  from.avail()->ring[0] = 3;
  to.table()[0] = {kGuest + HandRing::kBuffers, 2048, VRING_DESC_F_WRITE, 0};
  to.offer(0);
  check(wait_at(from, to) > kNone, "nothing is there yet");
  std::memset(from.base + HandRing::kBuffers + 4096 + 12, 0x5a, 88);
  from.table()[7] = {kGuest + HandRing::kBuffers + 4096, 100, 0, 0};
  from.offer(7);
  check(wait_at(from, to) == kNone, "there is something");
  uint32_t slots[kMaxBurst];
  check((from.dequeue(slots) & kBurstCount) == 1, "a packet came");
  check(from.used()->ring[0].id == 7, "of the head that the driver offered");
  check(from.pool.data(slots[0])[0] == 0x5a, "from the buffer that it named");
  // And out, by the buffer that was looked at ahead.
  std::memcpy(to.pool.data(static_cast<uint32_t>(to.pool.take(88, 1))), from.pool.data(slots[0]), 88);
  const uint32_t copy = 0;
  to.pool.meta(copy).header = {};
  check((enqueue_burst(to.queue, to.pool, &copy, 1) & kBurstCount) == 1 && to.used()->idx == 1,
        "it went out");
  check(to.base[HandRing::kBuffers + 12] == 0x5a, "as it was");
}

void at_rest() {
  HandRing from(256), to(256);
  to.queue.stop();
  check(wait_at(from, to) > kNone, "a sink that does not run is passed over");
  from.queue.stop();
  check(wait_at(from, to) == kNone, "a ring that does not run is not waited at");
}

void taken_away() {
  HandRing from(256), to(256);
  check(ftruncate(from.file.get(), 0) == 0 && ftruncate(to.file.get(), 0) == 0, "the memory is taken away");
  wait_at(from, to);
  uint32_t slots[kMaxBurst];
  check(from.dequeue(slots) & kBurstFault && from.queue.fault() == Reason::memory_revoked,
        "it is told as what it is");
}

const Register c_lies("hostile F25: what lies in a ring before its driver offers it is used for nothing",
                      lies);
const Register c_guess("a packet that comes where another was expected is the one that the driver offered",
                       wrong_guess);
const Register c_rest("waiting at rings that do not run is not waiting", at_rest);
const Register c7("hostile C7: memory that is taken away from a ring that is waited at is told as revoked",
                  taken_away);

}  // namespace
}  // namespace rxvhost::test
