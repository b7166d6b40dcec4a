// The program of bench/micro. It measures dequeue and enqueue of our core and of librte_vhost, one after the
// other on one core. The same driver side (guest/) serves the rings of both, and it makes sure that every
// burst is complete. Without callgrind the program measures times. Under callgrind, which counts only in the
// functions measured_*, it dumps the instructions of each job with the job's name. Every frame is checked,
// outside the measured functions.
//
//   micro FOLDER PACKETS
//
// FOLDER is a private folder for a socket. PACKETS is the number of packets per job, a multiple of 256.
//
// For each job, the program prints a line with a JSON object: the number of units (packets, or calls for an
// empty poll) and the median time per unit. If a packet is lost or altered, or on any other error, it prints
// the reason to stderr and exits with status 1.
#include <valgrind/callgrind.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/back_end.h"
#include "core/base/virtio.h"

namespace rxvhost::bench {

namespace {

// The features that virtio-user negotiates without offloads and with in_order=0 and packed_vq=0. virtio-user
// never negotiates the event index.
constexpr uint64_t kFeatures = uint64_t{1} << VIRTIO_F_VERSION_1 | uint64_t{1} << VIRTIO_NET_F_MRG_RXBUF |
                               uint64_t{1} << VIRTIO_RING_F_INDIRECT_DESC;

// Packets of the warm-up, which grows pools, fills caches and wraps the rings before the measurement.
constexpr uint32_t kWarmUp = 4 * kRingSize;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "micro: %s\n", why.c_str());
  std::exit(1);
}

using Clock = std::chrono::steady_clock;

struct Job {
  std::string side, name;
  uint32_t size, burst;

  std::string title() const {
    return name + "-" + std::to_string(size) + "-" + std::to_string(burst) + "-" + side;
  }
};

class Bench {
 public:
  Bench(const char* side, std::unique_ptr<BackEnd> back_end) : side_(side), back_end_(std::move(back_end)) {
    if (port_.open({.queue_size = kRingSize}) != 0 || port_.start(kFeatures) != 0)
      fail("the guest port could not start");
    if (const std::string why = back_end_->attach(port_, kFeatures); !why.empty()) fail(side_ + ": " + why);
    port_.check(0);  // suppresses calls, because the port is polled from now on
  }

  // The ring always has more packets than a burst, as if the back end were the bottleneck.
  void dequeue(uint32_t size, uint32_t burst, uint32_t packets, bool release_too = false) {
    const Job job{side_, release_too ? "dequeue-free" : "dequeue", size, burst};
    begin(size);
    send(job, kRingSize);
    measure(job, packets / burst, burst, [&] {
      timed(job, burst,
            [&] { return release_too ? back_end_->dequeue_and_release(burst) : back_end_->dequeue(burst); });
      if (!release_too) look(job, burst);
      send(job, burst);
    });
    while (const uint32_t count = back_end_->dequeue(burst))
      release_too ? back_end_->release() : look(job, count);
    const uint64_t all = uint64_t{kRingSize} + kWarmUp + packets;
    moved_[guest::kFromGuest] += all;
    if (!release_too) expect_intact(job, checker_, all);
  }

  void empty_dequeue(uint32_t burst, uint32_t polls) {
    const Job job{side_, "dequeue-empty", 0, burst};
    measure(job, polls, 1, [&] { timed(job, 0, [&] { return back_end_->dequeue(burst); }); });
  }

  void enqueue(uint32_t size, uint32_t burst, uint32_t packets) {
    const Job job{side_, "enqueue", size, burst};
    begin(size);
    measure(job, packets / burst, burst, [&] {
      for (uint32_t n = 0; n < burst; n++) {
        const guest::Span room = back_end_->prepare(n, size);
        if (!room.data) fail(job.title() + ": no packet to send");
        generator_.write(&room, 1);
      }
      timed(job, burst, [&] { return back_end_->enqueue(burst); });
      if (port_.check(burst).count != burst) fail(job.title() + ": the guest did not get all packets");
    });
    moved_[guest::kToGuest] += kWarmUp + packets;
    expect_intact(job, port_.checker(), kWarmUp + packets);
  }

  void expect_counted() {
    for (guest::RingIndex ring : {guest::kToGuest, guest::kFromGuest})
      if (back_end_->counted(ring) != moved_[ring])
        fail(side_ + ": the statistics of the back end have a wrong number of packets");
  }

 private:
  void begin(uint32_t size) {
    const guest::GeneratorOptions frames{.minimum = size, .maximum = size};
    if (!port_.generator().configure(frames) || !generator_.configure(frames)) fail("invalid frame size");
    port_.checker().reset(false);
    checker_.reset(false);
  }

  void send(const Job& job, uint32_t count) {
    if (port_.generate(count).count != count) fail(job.title() + ": the guest could not send");
  }

  void look(const Job& job, uint32_t count) {
    for (uint32_t n = 0; n < count; n++) {
      const guest::Span packet = back_end_->packet(n);
      if (!checker_.check(&packet, 1, packet.length)) fail(job.title() + ": a frame was altered");
    }
    back_end_->release();
  }

  void expect_intact(const Job& job, const guest::Checker& checker, uint64_t packets) {
    const guest::SourceReport report = checker.report(0);
    if (report.received != packets || report.lost || report.reordered || report.corrupted ||
        checker.foreign())
      fail(job.title() + ": frames were lost, reordered or altered");
  }

  template <typename Call>
  void timed(const Job& job, uint32_t expected, Call&& call) {
    const auto before = Clock::now();
    const uint32_t count = call();
    times_.push_back(Clock::now() - before);
    if (count != expected)
      fail(job.title() + ": a burst has " + std::to_string(count) + " packets instead of " +
           std::to_string(expected));
  }

  // `units` is the number of units per call.
  template <typename Round>
  void measure(const Job& job, uint32_t rounds, uint32_t units, Round&& round) {
    for (uint32_t done = 0; done < kWarmUp; done += job.burst) round();
    times_.clear();
    // Clears the counts with a dump, because after CALLGRIND_ZERO_STATS some counts still appear in the next
    // dump.
    CALLGRIND_DUMP_STATS_AT("warm-up");
    for (uint32_t n = 0; n < rounds; n++) round();
    const std::string title = job.title();
    CALLGRIND_DUMP_STATS_AT(title.c_str());
    std::nth_element(times_.begin(), times_.begin() + rounds / 2, times_.end());
    const std::chrono::duration<double, std::nano> median = times_[rounds / 2];
    std::printf("{\"title\":\"%s\",\"units\":%u,\"nanoseconds\":%.2f}\n", title.c_str(), rounds * units,
                median.count() / units);
  }

  const std::string side_;
  guest::Port port_;
  std::unique_ptr<BackEnd> back_end_;
  guest::Generator generator_;
  guest::Checker checker_;
  uint64_t moved_[2] = {};
  std::vector<Clock::duration> times_;
};

void run(const std::string& folder, uint32_t packets) {
  constexpr uint32_t kSizes[] = {64, 1518};
  constexpr uint32_t kBurst = 32;     // the largest burst that librte_vhost dequeues
  constexpr uint32_t kOurBurst = 64;  // the burst size of our pipelines
  constexpr uint32_t kFew = 4;        // a small burst, as under little load: shows the cost per call
  Bench ours("ours", make_ours()), theirs("theirs", make_theirs(folder));
  for (uint32_t size : kSizes) {
    for (Bench* side : {&ours, &theirs}) {
      side->dequeue(size, kBurst, packets);
      side->enqueue(size, kBurst, packets);
    }
    // Cases that only one back end has: long bursts (ours), and packets that native code frees (theirs).
    ours.dequeue(size, kOurBurst, packets);
    ours.enqueue(size, kOurBurst, packets);
    theirs.dequeue(size, kBurst, packets, true);
  }
  for (Bench* side : {&ours, &theirs}) {
    side->dequeue(kSizes[0], kFew, packets);
    side->enqueue(kSizes[0], kFew, packets);
    side->empty_dequeue(kBurst, 1024);
    side->expect_counted();
  }
}

}  // namespace

}  // namespace rxvhost::bench

int main(int argc, char** argv) {
  const unsigned long packets = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 0;
  if (packets == 0 || packets > 1 << 24 || packets % rxvhost::bench::kRingSize != 0) {
    std::fprintf(stderr, "usage: micro FOLDER PACKETS (a multiple of %u)\n", rxvhost::bench::kRingSize);
    return 1;
  }
  rxvhost::bench::run(argv[1], static_cast<uint32_t>(packets));
}
