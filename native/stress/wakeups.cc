// Tests for lost wake-ups. Two threads use one ring: the driver of native/guest runs on one thread, and our
// dequeue runs on the other. Each thread sleeps whenever it can, so that kicks and calls are armed,
// suppressed and checked again in as many orders as possible. After a lost wake-up, one thread would sleep
// for ever. A timeout detects this, prints the state of both sides, and makes the program fail. Packets are
// numbered and must arrive in order.
//
//   wakeups [packets]      half of the packets with the event index, half with the flags
//
// This program tests the orders that the processor produces. test/model searches all orders that the protocol
// allows.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "core/base/eventfd.h"
#include "core/net/dequeue.h"
#include "core/net/net_header.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"
#include "guest/driver_ring.h"
#include "guest/memory.h"
#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kDefaultPackets = 1'000'000;
constexpr uint32_t kRing = 16;  // small, so that the driver often has no free buffer and must wait
constexpr uint32_t kFrame = 64;
constexpr uint32_t kMostAtOnce = 8;  // maximum number of packets that are published together
constexpr uint32_t kLooks = 200;     // reads of the used index before the driver requests a call
constexpr uint32_t kPatience = 16;   // maximum number of empty polls before the device requests a kick
constexpr uint32_t kSteps = 512;     // maximum length of a random delay, in loop steps
constexpr uint32_t kSpins = 20;      // reads of an eventfd before a thread sleeps
constexpr int kLostMs = 20'000;      // a longer sleep means a lost wake-up; long enough for a busy machine

// Delays the thread by a random number of steps, so that the two sides meet at every distance in time.
void dither(uint32_t steps) {
  for (; steps > 0; steps--) __asm__ volatile("" ::: "memory");
}

void relax() {
#if defined(__x86_64__)
  __asm__ volatile("pause");
#endif
}

// Makes one side wait for its eventfd: it reads the eventfd several times and then sleeps.
struct Sleeper {
  explicit Sleeper(int fd, const char* name) : fd(fd), name(name) {}
  int fd;
  const char* name;
  uint64_t slept = 0;

  /// Returns false if no wake-up came in time.
  bool sleep() {
    uint64_t count;
    for (uint32_t i = 0; i < kSpins; i++)
      if (read(fd, &count, sizeof count) == sizeof count) return true;
    slept++;
    pollfd one{fd, POLLIN, 0};
    if (poll(&one, 1, kLostMs) != 1) return false;
    (void)!read(fd, &count, sizeof count);
    return true;
  }
};

class Stress {
 public:
  Stress(bool event_index, uint64_t packets) : event_index_(event_index), packets_(packets) {
    guest::PortOptions options;
    options.queue_size = kRing;
    guest::MemoryPlan plan;
    check(guest::plan_memory(options, 0, plan), "the memory is planned");
    check(memory_.create(plan.size) == 0, "the memory is created");
    place_ = plan.rings[1];
    features_ = feature(VIRTIO_F_VERSION_1) | (event_index ? feature(VIRTIO_RING_F_EVENT_IDX) : 0);
    auto shared = share(memory_.fd(), guest::Port::kGuestAddress, memory_.size());
    // Driver and device use the same mapping, because ThreadSanitizer identifies memory by its address.
    moved_by_ = shared->regions()[0].host - reinterpret_cast<uint8_t*>(memory_.at(0));
    guest::RingPlace there = place_;
    for (uint64_t* part : {&there.descriptors, &there.available, &there.used, &there.tables, &there.buffers})
      *part += moved_by_;
    ring_.reset(memory_, there, {kRing, event_index, false, false, 1, guest::Port::kGuestAddress});
    check(pool_.open(8 << 20), "the pool opens");
    open_account(pool_, 1);
    queue_.set_call(Fd(fcntl(call_.get(), F_DUPFD_CLOEXEC, 3)));
    check(queue_.start(config_of(place_, kRing, features_), shared) == Reason::none, "the ring starts");
  }

  void run() {
    const auto began = std::chrono::steady_clock::now();
    std::thread device([this] { receive(); });
    send();
    device.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    check(received_ == packets_, "all packets arrived");
    const uint64_t* stats = queue_.stats();
    std::printf(
        "ok: %llu packets with the %s, no wake-up was lost: %llu kicks, %llu calls; "
        "the device requested a kick %llu times, found packets in its second check %llu times "
        "and slept %llu times; the driver requested a call %llu times, "
        "found completions in its second check %llu times and slept %llu times; %.1f s\n",
        ull(packets_), event_index_ ? "event index" : "flags", ull(kicks_), ull(stats[stat_calls]),
        ull(armed_), ull(more_), ull(device_.slept), ull(asked_), ull(back_), ull(driver_.slept),
        took.count());
    std::fflush(stdout);
  }

 private:
  static unsigned long long ull(uint64_t n) { return n; }

  // --- thread of the driver ---

  void send() {
    std::mt19937 random(20261126);
    for (uint64_t sent = 0; sent < packets_;) {
      take_back();
      const uint32_t room = kRing - ring_.in_flight();
      uint64_t count = std::min<uint64_t>({1 + random() % kMostAtOnce, uint64_t{room}, packets_ - sent});
      for (; count > 0; count--) offer(sent++);
      if (ring_.publish()) kick();
      // The driver continues, or waits for some or all of the chains in flight. Before it waits, it usually
      // polls for them first: then it publishes again immediately, while the device may be arming its kick.
      const uint32_t way = random() % 8;
      if (way == 0) continue;
      const uint32_t beyond = way == 1 ? random() % ring_.in_flight() : ring_.in_flight() - 1;
      for (uint32_t looks = random() % 4 * kLooks; looks > 0 && ring_.completed() <= beyond; looks--) relax();
      dither(random() % kSteps);
      wait_beyond(beyond);
    }
    while (ring_.in_flight() > 0) {
      wait_beyond(ring_.in_flight() - 1);
      take_back();
    }
    done_.store(true);
    kick();
  }

  void offer(uint64_t number) {
    const uint16_t chain = free_ > 0 ? free_list_[--free_] : fresh_++;
    const uint64_t at = place_.buffers + chain * place_.buffer_stride;
    std::memcpy(memory_.at(at + moved_by_) + kHeader, &number, sizeof number);
    const guest::Piece piece{at, kHeader + kFrame};
    ring_.add(chain, &piece, 1);
  }

  void take_back() {
    for (uint32_t count = ring_.completed(); count > 0; count--) {
      guest::Completion completion;
      check(ring_.take(completion), "the used ring entry is valid");
      free_list_[free_++] = completion.chain;
    }
  }

  void wait_beyond(uint32_t beyond) {
    if (ring_.completed() > beyond) return;
    for (;;) {
      asked_++;
      if (ring_.arm_call(beyond)) {
        back_++;
        break;
      }
      if (!driver_.sleep()) lost(driver_);
    }
    ring_.suppress_call();
  }

  void kick() {
    kicks_++;
    const uint64_t one = 1;
    check(write(kick_.get(), &one, sizeof one) == sizeof one, "a kick is sent");
  }

  // --- thread of the device ---

  void receive() {
    std::mt19937 random(20261127);
    uint32_t slots[kMaxBurst], patience = 0;
    while (!done_.load()) {
      const uint32_t result = dequeue_burst(queue_, pool_, 1, 1 + random() % kRing, slots);
      check(!(result & kBurstFault), "the ring runs");
      const uint32_t count = result & kBurstCount;
      for (uint32_t i = 0; i < count; i++) accept(slots[i]);
      if (count > 0) patience = random() % kPatience;
      dither(random() % kSteps);
      if (count > 0 || patience-- > 0) continue;
      patience = 0;
      armed_++;
      if (queue_.arm_kick())
        more_++;
      else if (!device_.sleep())
        lost(device_);
      queue_.suppress_kick();
    }
  }

  void accept(uint32_t slot) {
    uint64_t number;
    std::memcpy(&number, pool_.data(slot), sizeof number);
    check(number == received_++, "packets arrive in order");
    pool_.give_back(slot);
  }

  // Reads the state of both threads without a lock. This is safe enough here, because the ring makes no
  // progress any more.
  [[noreturn]] void lost(const Sleeper& who) {
    const auto* avail = reinterpret_cast<const vring_avail*>(memory_.at(place_.available));
    const auto* used = reinterpret_cast<const vring_used*>(memory_.at(place_.used));
    std::printf(
        "not ok: a wake-up was lost with the %s: the %s still sleeps after %llu packets\n"
        "# available index %u, used_event %u, flags %u; used index %u, avail_event %u, flags %u\n"
        "# the device has taken %u chains; the driver has taken back %u; %u are in flight\n",
        event_index_ ? "event index" : "flags", who.name, ull(received_), avail->idx, avail->ring[kRing],
        avail->flags, used->idx, *reinterpret_cast<const uint16_t*>(&used->ring[kRing]), used->flags,
        queue_.visit([](const auto& ring) { return ring.base(); }), ring_.used_index(), ring_.in_flight());
    std::fflush(stdout);
    std::_Exit(1);
  }

  static constexpr uint32_t kHeader = 12;

  const bool event_index_;
  const uint64_t packets_;
  guest::Memory memory_;
  guest::RingPlace place_{};
  uint64_t features_ = 0;
  uint64_t moved_by_ = 0;
  Fd kick_ = make_eventfd(), call_ = make_eventfd();
  std::atomic<bool> done_{false};

  alignas(128) guest::DriverRing ring_;  // from here on, members of the driver's thread
  uint16_t free_list_[kRing], fresh_ = 0;
  uint32_t free_ = 0;
  uint64_t kicks_ = 0, asked_ = 0, back_ = 0;
  Sleeper driver_{call_.get(), "driver"};

  alignas(128) Virtqueue queue_;  // from here on, members of the device's thread
  Pool pool_;
  uint64_t received_ = 0, armed_ = 0, more_ = 0;
  Sleeper device_{kick_.get(), "device"};
};

}  // namespace
}  // namespace rxvhost::test

int main(int argc, char** argv) {
  using namespace rxvhost::test;
  const uint64_t packets = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : kDefaultPackets;
  for (bool event_index : {true, false}) Stress(event_index, (packets + 1) / 2).run();
}
