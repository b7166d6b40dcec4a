// The dirty log: which pages are marked, where the log ends, and the property that a live migration needs. A
// front end that copies each page whose bit is set has, in the end, everything that the back end wrote.
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 1 << DirtyLog::kPageShift;

/// The front end's log: a file, which is also mapped here.
struct LogFile {
  int fd = memfd_create("log", MFD_CLOEXEC);
  size_t size;
  uint8_t* bytes;

  explicit LogFile(size_t length) : size(length) {
    check(ftruncate(fd, static_cast<off_t>(length)) == 0, "the log's file has its size");
    bytes = static_cast<uint8_t*>(mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    check(bytes != MAP_FAILED, "the log maps");
  }
  LogFile(const LogFile&) = delete;
  ~LogFile() {
    munmap(bytes, size);
    close(fd);
  }
  Fd share() const { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }
  std::shared_ptr<const DirtyLog> open(uint64_t length, uint64_t offset = 0) const {
    std::shared_ptr<const DirtyLog> log;
    check(DirtyLog::open(share(), length, offset, &log) == Reason::none, "the log opens");
    return log;
  }
  bool marked(uint64_t page) const { return bytes[page / 8] >> (page % 8) & 1; }
};

Reason opened(const LogFile& file, uint64_t length, uint64_t offset) {
  std::shared_ptr<const DirtyLog> log;
  return DirtyLog::open(file.share(), length, offset, &log);
}

void one_bit_per_page() {
  LogFile file(3 * kPage);
  std::memset(file.bytes, 0, file.size);
  // The log is the middle page of the file. The pages before and after it must not change.
  auto log = file.open(kPage, kPage);
  const uint64_t pages = kPage * 8;
  check(log->mark(0, 1) && log->mark(5 * kPage + 4095, 2), "marks one byte, and two bytes on two pages");
  check(log->mark((pages - 1) * kPage + 4095, 1), "marks the last byte that has a bit");
  for (uint64_t page = 0; page < 3 * pages; page++) {
    const bool expected = page == pages || page == pages + 5 || page == pages + 6 || page == 2 * pages - 1;
    check(file.marked(page) == expected, "only these pages are marked");
  }
  check(!log->mark((pages - 1) * kPage + 4095, 2), "refuses a range that ends one byte after the log");
  check(!log->mark(pages * kPage, 1) && !log->mark(UINT64_MAX - 4, 10),
        "refuses ranges that are after the log or that wrap");
  check(log->mark(UINT64_MAX, 0), "an empty range is no error");
}

void sizes() {
  LogFile file(2 * kPage);
  check(opened(file, 0, 0) == Reason::log_range, "E2: a log of size 0 is refused");
  check(opened(file, 2 * kPage + 1, 0) == Reason::log_range,
        "E2: a log that is longer than its file is refused");
  check(opened(file, kPage, 2 * kPage) == Reason::log_range,
        "E2: a log after the end of its file is refused");
  check(opened(file, kPage, UINT64_MAX - kPage + 1) == Reason::log_range, "E2: a log that wraps is refused");
  check(opened(file, 2 * kPage, 0) == Reason::none, "the whole file can be a log");
  int pipe_fds[2];
  check(pipe(pipe_fds) == 0, "a pipe is created");
  std::shared_ptr<const DirtyLog> log;
  check(DirtyLog::open(Fd(pipe_fds[0]), kPage, 0, &log) == Reason::fd_type, "E1: a pipe is refused");
  close(pipe_fds[1]);
}

/// A guest with two running rings, and the dirty log of its memory.
struct Migration {
  guest::PortOptions options;
  uint64_t features;
  std::unique_ptr<Machine> machine;
  std::shared_ptr<const MemorySnapshot> memory;
  std::unique_ptr<LogFile> file;
  Pool pool;
  uint64_t first_page = guest::Port::kGuestAddress / kPage;

  Migration(guest::PortOptions with, uint64_t bits, uint64_t log_bytes = 0)
      : options(with), features(bits | feature(VIRTIO_F_VERSION_1)) {
    machine = std::make_unique<Machine>(options, features);
    const guest::Memory& guest = machine->port.memory();
    file = std::make_unique<LogFile>(log_bytes ? log_bytes
                                               : (guest::Port::kGuestAddress + guest.size()) / kPage / 8 + 1);
    memory = share(guest.fd(), guest::Port::kGuestAddress, guest.size())
                 ->with({file->open(file->size), nullptr, true});
    check(pool.open(8 << 20), "the pool opens");
    open_account(pool, 1);
    for (uint32_t n : {0, 1}) {
      check(ring(n).set_log(true, used_address(n)) == Reason::none, "the used ring is logged");
      check(ring(n).move(memory) == Reason::none, "the rings move");
    }
  }
  Virtqueue& ring(uint32_t n) { return n == 0 ? machine->to_guest : machine->from_guest; }
  uint64_t used_address(uint32_t n) const {
    return guest::Port::kGuestAddress + machine->port.plan().rings[n].used;
  }
  /// Makes the guest send `frames` frames, and sends them back to the guest.
  void reflect(uint32_t frames) {
    uint32_t slots[kMaxBurst];
    machine->port.generate(frames);
    const uint32_t count = dequeue_burst(machine->from_guest, pool, 1, frames, slots) & kBurstCount;
    enqueue_burst(machine->to_guest, pool, slots, count);
    for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
    machine->from_guest.arm_kick();
    machine->to_guest.arm_kick();
    machine->from_guest.suppress_kick();
  }
  /// Visits the pages that only the back end writes: used rings, receive buffers and their headers.
  template <typename Each>
  void each_page(Each&& each) const {
    const auto& rings = machine->port.plan().rings;
    const auto run = [&](uint64_t from, uint64_t to) {
      for (uint64_t at = from / kPage * kPage; at < to; at += kPage) each(at);
    };
    for (const auto& ring : rings) run(ring.used, ring.used + SplitRing::logged_bytes(options.queue_size));
    run(rings[0].headers, rings[0].headers + 16 * rings[0].chains);
    run(rings[0].buffers, rings[0].buffers + rings[0].buffer_stride * rings[0].chains);
  }
  const std::byte* page(uint64_t at) const { return machine->port.memory().at(at); }
};

guest::PortOptions small_buffers() {
  guest::PortOptions options;
  options.receive_buffer = 600;  // so that a frame needs several buffers
  return options;
}

constexpr uint64_t kMergeable = uint64_t{1} << VIRTIO_NET_F_MRG_RXBUF;
constexpr uint64_t kEventIndex = uint64_t{1} << VIRTIO_RING_F_EVENT_IDX;

void every_written_page(guest::PortOptions options, uint64_t features) {
  Migration run(options, features);
  run.machine->port.generator().configure({.lengths = guest::Lengths::sweep, .minimum = 60, .maximum = 1514});
  std::vector<std::byte> before(run.machine->port.memory().size());
  uint32_t changed = 0, unmarked = 0;
  for (int burst = 0; burst < 40; burst++) {
    std::memcpy(before.data(), run.page(0), before.size());
    std::memset(run.file->bytes, 0, run.file->size);
    run.reflect(32);
    run.each_page([&](uint64_t at) {
      if (std::memcmp(before.data() + at, run.page(at), kPage) == 0) return;
      changed++;
      if (!run.file->marked(run.first_page + at / kPage)) unmarked++;
    });
    run.machine->port.check(64);
  }
  check(changed > 40 * 3, "used rings and buffers change");
  check(unmarked == 0, "every written page is marked");
  // In addition, a page that the back end did not write is not marked.
  const uint64_t descriptors = run.machine->port.plan().rings[0].descriptors;
  check(!run.file->marked(run.first_page + descriptors / kPage),
        "descriptors, which the driver writes, are not marked");
  check(run.machine->port.checker().corrupted() == 0, "no frame is corrupted");
}

void every_written_page_in_every_variant() {
  for (const uint64_t events : {uint64_t{0}, kEventIndex}) {
    every_written_page({}, events);
    every_written_page(small_buffers(), events | kMergeable);
    guest::PortOptions split;
    split.layout = guest::Layout::split;
    every_written_page(split, events);
  }
}

/// Does the same as QEMU: exchanges a word of the log for zero, then copies the pages of its bits.
void sync(Migration& run, std::vector<std::byte>& destination) {
  // Exchanges single bytes, because the log need not be aligned to words.
  const uint64_t first = run.first_page / 8, last = run.file->size;
  for (uint64_t at = first; at < last; at++) {
    if (__atomic_load_n(run.file->bytes + at, __ATOMIC_RELAXED) == 0) continue;
    const uint8_t bits = __atomic_exchange_n(run.file->bytes + at, uint8_t{0}, __ATOMIC_ACQ_REL);
    for (uint32_t bit = 0; bit < 8; bit++) {
      const uint64_t offset = (at * 8 + bit - run.first_page) * kPage;
      if ((bits >> bit & 1) && offset < destination.size())
        std::memcpy(destination.data() + offset, run.page(offset),
                    std::min(kPage, destination.size() - offset));
    }
  }
}

// A thread copies pages while the back end writes them, as QEMU does. ThreadSanitizer would report this as a
// data race.
void a_copy_that_follows_the_log() {
  Migration run(small_buffers(), kMergeable | kEventIndex);
  run.machine->port.generator().configure({.lengths = guest::Lengths::sweep, .minimum = 60, .maximum = 1514});
  std::vector<std::byte> destination(run.machine->port.memory().size());
  std::memcpy(destination.data(), run.page(0), destination.size());
  std::atomic<bool> over{false};
  std::thread front_end([&] {
    while (!over.load()) sync(run, destination);
  });
  for (int burst = 0; burst < 3000; burst++) {
    run.reflect(32);
    run.machine->port.check(64);
  }
  run.machine->to_guest.stop();
  run.machine->from_guest.stop();
  over.store(true);
  front_end.join();
  sync(run, destination);
  run.each_page([&](uint64_t at) {
    check(std::memcmp(destination.data() + at, run.page(at), kPage) == 0, "the destination has the page");
  });
}

void nothing_beyond_the_log() {
  // The log ends in the middle of the receive buffers.
  guest::PortOptions options;
  guest::MemoryPlan plan{};
  check(guest::plan_memory(options, 0, plan), "the memory is planned");
  const uint64_t end = plan.rings[0].buffers + plan.rings[0].buffer_stride * 64;
  const uint64_t bytes = (guest::Port::kGuestAddress + end) / kPage / 8;
  Migration run(options, 0, bytes);
  const uint64_t first_without = bytes * 8 * kPage - guest::Port::kGuestAddress;
  std::vector<std::byte> before(run.page(0), run.page(0) + run.machine->port.memory().size());
  run.machine->port.generator().configure({.minimum = 1000, .maximum = 1000});
  for (int burst = 0; burst < 8; burst++) run.reflect(32);
  check(run.machine->to_guest.fault() == Reason::log_overflow,
        "E3: the ring is latched with the right reason");
  const uint32_t used = reinterpret_cast<const vring_used*>(run.page(plan.rings[0].used))->idx;
  check(used > 0 && used < 256, "earlier packets are published");
  check(std::memcmp(before.data() + first_without, run.page(first_without),
                    plan.rings[1].buffers - first_without) == 0,
        "pages without a bit are not written");
  check(run.machine->from_guest.fault() == Reason::none, "the other ring still runs");
}

void used_ring_bounds() {
  Migration run({}, 0);
  const uint64_t used = SplitRing::logged_bytes(256);
  const uint64_t end = run.file->size * 8 * kPage;
  check(run.machine->to_guest.set_log(true, end - used) == Reason::none,
        "E4: a used ring may end at the last byte that has a bit");
  check(run.machine->to_guest.set_log(true, end - used + 1) == Reason::log_range,
        "E4: a used ring that ends one byte later is refused");
  check(run.machine->to_guest.set_log(true, UINT64_MAX - 8) == Reason::log_range,
        "E4: a used ring that wraps is refused");
  LogFile small(kPage);
  check(!run.machine->to_guest.fits(*small.open(kPage)), "a log without bits for the used ring is refused");
  std::memset(run.file->bytes, 0, run.file->size);
  run.reflect(8);
  check(run.file->marked(end / kPage - 1), "the previous address is still in use");
}

void truncated_log() {
  Migration run({}, 0);
  Machine sibling({}, feature(VIRTIO_F_VERSION_1));
  run.reflect(8);
  check(ftruncate(run.file->fd, 0) == 0, "the log is truncated");
  run.reflect(8);  // accesses the missing pages of the log
  run.reflect(8);  // detects that the log is poisoned
  check(run.machine->from_guest.fault() == Reason::memory_revoked,
        "E6: the ring is latched as for missing memory");
  sibling.port.generate(4);
  uint32_t slots[kMaxBurst];
  check((dequeue_burst(sibling.from_guest, run.pool, 1, 32, slots) & kBurstCount) == 4,
        "the other device still runs");
}

void signalled() {
  Migration run({}, 0);
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Logging logging = run.memory->logging();
  logging.call = std::make_shared<const Fd>(event);
  run.machine->from_guest.move(run.memory->with(logging));
  uint64_t count = 0;
  run.reflect(8);
  check(read(event, &count, sizeof count) == sizeof count && count > 0, "a change of the log is signalled");
  const uint32_t none = dequeue_burst(run.machine->from_guest, run.pool, 1, 32, nullptr) & kBurstCount;
  check(none == 0 && read(event, &count, sizeof count) < 0, "without a change nothing is signalled");
}

const Register bits("log: each page has one bit, and no page after the log can be marked", one_bit_per_page);
const Register e2("hostile E1, E2: invalid logs are refused", sizes);
const Register marks("migration: every written page is marked, including used rings and event fields",
                     every_written_page_in_every_variant);
const Register copy("hostile E8: a copy that follows the log ends up identical to the source",
                    a_copy_that_follows_the_log);
const Register e3("hostile E3: a page without a bit in the log is not written", nothing_beyond_the_log);
const Register e4("hostile E4: a used ring outside the log is refused", used_ring_bounds);
const Register e6("hostile E6: a truncated log faults only its own device", truncated_log);
const Register log_call("SET_LOG_FD: the eventfd is signalled when the log has changed", signalled);

}  // namespace
}  // namespace rxvhost::test
