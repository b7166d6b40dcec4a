// bench/micro's program: dequeue and enqueue of our core and of librte_vhost, one after the other on one
// core, on rings that the same driver side (guest/) keeps full or empty enough that no burst is cut short.
// Alone it measures times; under callgrind, with collection toggled on the functions measured_*, it dumps the
// instructions of each job under the job's name. Every frame is checked, outside what is measured.
//
//   micro FOLDER PACKETS      FOLDER: private, for a socket; PACKETS of each job, a multiple of 256
//
// One JSON object a line and job on stdout. Exit status 1 and a reason on stderr if anything is not as it
// should be: a figure of packets that were lost or altered is none.
#include <valgrind/callgrind.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/back_end.h"
#include "core/base/virtio.h"

namespace rxvhost::bench {

namespace {

// What virtio-user negotiates without offloads, in_order=0 and packed_vq=0; it never has the event index.
constexpr uint64_t kFeatures = uint64_t{1} << VIRTIO_F_VERSION_1 | uint64_t{1} << VIRTIO_NET_F_MRG_RXBUF |
                               uint64_t{1} << VIRTIO_RING_F_INDIRECT_DESC;

// Grows pools, fills caches and wraps the rings before anything counts.
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
    if (port_.open({.queue_size = kRingSize}) != 0 || port_.start(kFeatures) != 0) fail("no guest memory");
    if (const std::string why = back_end_->attach(port_, kFeatures); !why.empty()) fail(side_ + ": " + why);
    port_.check(0);  // polls from here on: suppresses calls
  }

  // A back end that is the bottleneck: the ring always holds more than a burst.
  void dequeue(uint32_t size, uint32_t burst, uint32_t packets, bool release_too = false) {
    const Job job{side_, release_too ? "dequeue-free" : "dequeue", size, burst};
    begin(size);
    send(job, kRingSize);
    measure(job, packets, [&] {
      const auto before = Clock::now();
      const uint32_t count = release_too ? back_end_->dequeue_and_release(burst) : back_end_->dequeue(burst);
      time_ += Clock::now() - before;
      if (count != burst) fail(job.title() + ": a burst of " + std::to_string(count));
      if (!release_too) look(job, count);
      send(job, count);
    });
    // What was released at once was not looked at, so here it would be missed.
    while (const uint32_t count = back_end_->dequeue(burst))
      release_too ? back_end_->release() : look(job, count);
  }

  void empty_dequeue(uint32_t burst, uint32_t polls) {
    const Job job{side_, "dequeue-empty", 0, burst};
    measure(job, polls * burst, [&] {
      const auto before = Clock::now();
      const uint32_t count = back_end_->dequeue(burst);
      time_ += Clock::now() - before;
      if (count != 0) fail(job.title() + ": the ring was not empty");
    });
  }

  void enqueue(uint32_t size, uint32_t burst, uint32_t packets) {
    const Job job{side_, "enqueue", size, burst};
    begin(size);
    measure(job, packets, [&] {
      for (uint32_t n = 0; n < burst; n++) {
        const guest::Span room = back_end_->prepare(n, size);
        if (!room.data) fail(job.title() + ": no packet to send");
        generator_.write(&room, 1);
      }
      const auto before = Clock::now();
      const uint32_t count = back_end_->enqueue(burst);
      time_ += Clock::now() - before;
      if (count != burst) fail(job.title() + ": a burst of " + std::to_string(count));
      if (port_.check(burst).count != burst) fail(job.title() + ": the guest did not get all");
    });
    expect_intact(job, port_.checker(), packets + kWarmUp);
  }

 private:
  void begin(uint32_t size) {
    const guest::GeneratorOptions frames{.minimum = size, .maximum = size};
    if (!port_.generator().configure(frames) || !generator_.configure(frames)) fail("no such frame size");
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

  template <typename Burst>
  void measure(const Job& job, uint32_t packets, Burst&& one_burst) {
    for (uint32_t done = 0; done < kWarmUp; done += job.burst) one_burst();
    time_ = {};
    // Not CALLGRIND_ZERO_STATS, which leaves some of what was counted to the next dump's lines.
    CALLGRIND_DUMP_STATS_AT("warm-up");
    for (uint32_t done = 0; done < packets; done += job.burst) one_burst();
    const std::string title = job.title();
    CALLGRIND_DUMP_STATS_AT(title.c_str());
    std::printf("{\"title\":\"%s\",\"packets\":%u,\"nanoseconds\":%.0f}\n", title.c_str(), packets,
                std::chrono::duration<double, std::nano>(time_).count());
  }

  const std::string side_;
  guest::Port port_;
  std::unique_ptr<BackEnd> back_end_;
  guest::Generator generator_;
  guest::Checker checker_;
  Clock::duration time_{};
};

void run(const std::string& folder, uint32_t packets) {
  constexpr uint32_t kSizes[] = {64, 1518};
  Bench ours("ours", make_ours()), theirs("theirs", make_theirs(folder));
  for (uint32_t size : kSizes) {
    for (Bench* side : {&ours, &theirs}) {
      side->dequeue(size, 32, packets);
      side->enqueue(size, 32, packets);
    }
    // What each does on its own: ours with the bursts of its pipelines, theirs with its packets freed as
    // well.
    ours.dequeue(size, 64, packets);
    ours.enqueue(size, 64, packets);
    theirs.dequeue(size, 32, packets, true);
  }
  for (Bench* side : {&ours, &theirs}) side->empty_dequeue(32, 1024);
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
