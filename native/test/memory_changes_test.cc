// Changes of a device's memory, which run on threads that may block: C21, C14, B16, C8.
#include <csignal>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "core/memory/memory_threads.h"
#include "core/vhost/memory_change.h"
#include "test/fixture.h"
#include "test/waits.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 4096;

struct File {
  Fd fd;
  explicit File(uint64_t pages, unsigned flags = MFD_CLOEXEC) : fd(memfd_create("change", flags)) {
    check(ftruncate(fd.get(), static_cast<off_t>(pages * kPage)) == 0, "the file has its size");
  }
  Fd share() const { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)); }
};

constexpr RegionSpec kFirst{0x1000'0000, 4 * kPage, kUser, 0};
constexpr RegionSpec kSecond{0x2000'0000, 4 * kPage, kUser + 64 * kPage, 0};

std::vector<Fd> one(Fd fd) {
  std::vector<Fd> fds;
  fds.push_back(std::move(fd));
  return fds;
}

Reason carry_out(MemoryChange& change) {
  change.open();
  change.commit();
  change.close();
  return change.reason();
}

bool is_mapped(const void* at) {
  unsigned char resident = 0;
  return mincore(const_cast<void*>(at), kPage, &resident) == 0;
}

void three_steps() {
  auto device = Registry::get().create(1);
  File file(4), other(4);
  MemoryChange table(*device, MemoryChange::Kind::table, {kFirst}, one(file.share()));
  check(carry_out(table) == Reason::none, "SET_MEM_TABLE succeeds");
  MemoryChange more(*device, MemoryChange::Kind::add, {kSecond}, one(other.share()));
  check(carry_out(more) == Reason::none, "ADD_MEM_REG succeeds");
  MemoryChange again(*device, MemoryChange::Kind::add, {kSecond}, one(other.share()));
  check(carry_out(again) == Reason::none, "Q28: adding a region again is no error");
  check(device->backings().size() == 2, "two files are open");
  MemoryChange less(*device, MemoryChange::Kind::remove, {kSecond}, {});
  check(carry_out(less) == Reason::none && device->backings().size() == 1, "REM_MEM_REG succeeds");
  RegionSpec beyond = kSecond;
  beyond.size = 5 * kPage;
  MemoryChange failing(*device, MemoryChange::Kind::table, {kFirst, beyond}, [&] {
    std::vector<Fd> fds = one(file.share());
    fds.push_back(other.share());
    return fds;
  }());
  check(carry_out(failing) == Reason::mem_file_size, "C15: a table with an invalid region is refused");
  check(device->backings().size() == 1, "C15: the previous table is still in use");
  Registry::get().destroy(device->id());
}

/// The device is destroyed before open(), and in a second round between open() and commit().
void destroyed_meanwhile() {
  for (const bool before : {true, false}) {
    auto device = Registry::get().create(1);
    const uint32_t id = device->id();
    File file(4);
    MemoryChange change(*device, MemoryChange::Kind::table, {kFirst}, one(file.share()));
    if (!before) change.open();
    std::weak_ptr<Device> weak = device;
    device.reset();
    Registry::get().destroy(id);
    check(weak.expired(), "C21: a pending change does not delay the end of its device");
    if (before) {
      change.open();
      check(change.reason() == Reason::device_gone, "C21: open() maps nothing for a destroyed device");
    }
    change.commit();
    check(change.reason() == Reason::device_gone, "C21: commit() has no effect on a destroyed device");
    change.close();
    struct stat now {};
    check(fstat(file.fd.get(), &now) == 0 && now.st_nlink == 0, "the file has no link");
  }
  // This device is destroyed while the test still has a reference to it, like a thread that runs its rings.
  auto device = Registry::get().create(1);
  Registry::get().destroy(device->id());
  std::vector<uint32_t> lost;
  FormerMemory former;
  check(device->set_table(share(File(4).fd.get(), 0, kPage), &lost, &former) == Reason::device_gone,
        "C21: a destroyed device takes no table");
}

/// Replaced memory stays mapped until close().
void former_memory_is_unmapped_last() {
  auto device = Registry::get().create(1);
  File file(4), other(4);
  std::shared_ptr<const MemorySnapshot> first = share(file.fd.get(), kFirst.guest, kFirst.size);
  const uint8_t* at = first->regions()[0].host;
  std::vector<uint32_t> lost;
  FormerMemory none;
  check(device->set_table(first, &lost, &none) == Reason::none && !none.memory,
        "the first table replaces none");
  first.reset();
  MemoryChange change(*device, MemoryChange::Kind::table, {kSecond}, one(other.share()));
  change.open();
  change.commit();
  check(!change.holds_nothing() && is_mapped(at),
        "commit(), on the thread that serves rings, unmaps nothing");
  change.close();
  check(!is_mapped(at), "C14: close() unmaps the memory, before the front end gets its answer");
  Registry::get().destroy(device->id());
}

/// A change that has nothing to close is answered at once, so holds_nothing() must be right.
void first_memory_leaves_nothing_to_close() {
  auto device = Registry::get().create(1);
  File file(4);
  MemoryChange table(*device, MemoryChange::Kind::table, {kFirst}, one(file.share()));
  table.open();
  table.commit();
  check(table.reason() == Reason::none && table.holds_nothing(), "a first table leaves nothing to close");
  MemoryChange again(*device, MemoryChange::Kind::add, {kFirst}, one(file.share()));
  again.open();
  again.commit();
  check(again.reason() == Reason::none && !again.holds_nothing(),
        "a region that was added again has a second mapping to close");
  MemoryChange none(*device, MemoryChange::Kind::add, {kSecond}, {});
  none.open();
  none.commit();
  check(none.reason() != Reason::none && !none.holds_nothing(), "a refused change may have files to close");
  table.close();
  again.close();
  none.close();
  Registry::get().destroy(device->id());
}

/// One thread serves the rings and commits memory changes, while other threads map and unmap memory.
void changes_under_traffic() {
  const guest::PortOptions options;
  const uint64_t features = uint64_t{1} << VIRTIO_F_VERSION_1 | uint64_t{1} << VIRTIO_RING_F_EVENT_IDX;
  guest::Port port;
  check(port.open(options) == 0 && port.start(features) == 0, "the port starts");
  auto device = Registry::get().create(1);
  const auto& guest = port.memory();
  const RegionSpec whole{guest::Port::kGuestAddress, guest.size(), kUser, 0};
  const auto shared = [&] { return one(Fd(fcntl(guest.fd(), F_DUPFD_CLOEXEC, 3))); };
  MemoryChange first(*device, MemoryChange::Kind::table, {whole}, shared());
  check(carry_out(first) == Reason::none, "the first table is set");
  for (uint32_t n = 0; n < 2; n++)
    check(device->start(n, config_of(port.plan().rings[n], options.queue_size, features)) == Reason::none,
          "a ring starts");
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);

  BlockingThreads& threads = memory_threads();
  std::mutex mutex;
  std::vector<std::shared_ptr<MemoryChange>> back;
  uint32_t done = 0;
  const auto begin = [&] {
    auto change =
        std::make_shared<MemoryChange>(*device, MemoryChange::Kind::table, std::vector{whole}, shared());
    threads.run(1, [&, change] {
      change->open();
      std::lock_guard lock(mutex);
      back.push_back(change);
    });
  };
  begin();
  uint32_t slots[kMaxBurst];
  while (done < 500) {
    port.generate(8);
    const uint32_t count = dequeue_burst(*device->ring(1), pool, 1, 32, slots) & kBurstCount;
    enqueue_burst(*device->ring(0), pool, slots, count);
    for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
    std::vector<std::shared_ptr<MemoryChange>> came;
    {
      std::lock_guard lock(mutex);
      came.swap(back);
    }
    for (auto& change : came) {
      if (change->committed()) {
        check(change->reason() == Reason::none && change->lost().empty(), "SET_MEM_TABLE succeeds");
        done++;
        begin();
        continue;
      }
      change->commit();
      threads.run(1, [&, change] {
        change->close();
        std::lock_guard lock(mutex);
        back.push_back(change);
      });
    }
  }
  check(device->ring(0)->fault() == Reason::none && device->ring(1)->fault() == Reason::none, "no fault");
  // The last change may be in any step when the device is destroyed.
  Registry::get().destroy(device->id());
  for (bool over = false; !over;) {
    std::lock_guard lock(mutex);
    over = !back.empty();
  }
}

Loss loss_of(MemorySnapshot& memory) {
  *const_cast<volatile uint8_t*>(memory.regions()[0].host + 3 * kPage) = 1;
  check(memory.poisoned(), "the access finds that the page is missing");
  return memory.loss();
}

void why_a_page_was_missing() {
  File file(4);
  auto memory = share(file.fd.get(), 0, 4 * kPage);
  check(memory->loss() == Loss::unknown, "no page is missing");
  check(ftruncate(file.fd.get(), kPage) == 0, "the file is truncated");
  check(loss_of(const_cast<MemorySnapshot&>(*memory)) == Loss::truncated, "C7: the reason is `truncated`");
  check(ftruncate(file.fd.get(), 4 * kPage) == 0, "the file gets its former length again");
  check(memory->loss() == Loss::no_backing, "then the reason looks like a system that had no page");

  File sealed(4, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(fcntl(sealed.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0, "the file is sealed");
  memory = share(sealed.fd.get(), 0, 4 * kPage);
  check(memory->backings().empty(), "a sealed file, such as QEMU's memfds, does not stay open");

  std::vector<RegionSpec> specs;
  std::vector<Fd> fds;
  std::vector<File> files;
  for (uint64_t n = 0; n < 2 * kMaxBackings; n++) {
    specs.push_back({n * 16 * kPage, kPage, kUser + n * 16 * kPage, 0});
    files.emplace_back(1);
    fds.push_back(files.back().share());
  }
  check(MemorySnapshot::map(specs, std::move(fds), &memory) == Reason::none, "a table of many files maps");
  check(memory->backings().size() == kMaxBackings, "at most kMaxBackings files stay open");
  check(ftruncate(files.back().fd.get(), 0) == 0, "the last file, which did not stay open, is truncated");
  *const_cast<volatile uint8_t*>(memory->regions().back().host) = 1;
  check(memory->poisoned() && memory->loss() == Loss::unknown, "the reason is unknown for a closed file");

  fds.clear();
  specs = {{0, kPage, kUser, 0}, {16 * kPage, kPage, kUser + 16 * kPage, kPage}};
  for (int n = 0; n < 2; n++) fds.push_back(file.share());
  check(MemorySnapshot::map(specs, std::move(fds), &memory) == Reason::none, "two regions of one file map");
  check(memory->backings().size() == 1, "the file stays open with one fd");
}

/// Blocks both threads that free memory, as two large guests do.
struct FreeingIsStuck {
  Gate gate;
  Count done;
  FreeingIsStuck() {
    for (uint32_t n = 0; n < kFreeingThreads; n++)
      freeing_threads().run(0, [this] {
        gate.pass();
        done.add();
      });
    gate.until_inside(kFreeingThreads);
  }
  ~FreeingIsStuck() {
    gate.open();
    done.until(kFreeingThreads);
  }
};

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

void fds_do_not_wait_for_other_memory() {
  File sealed(4, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(fcntl(sealed.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0, "the file is sealed");
  std::vector<int> waiting;
  {
    const FreeingIsStuck stuck;
    Fd fd = Fd::received(sealed.share().release());
    const int number = fd.get();
    std::shared_ptr<const MemorySnapshot> memory;
    const RegionSpec all{0, 4 * kPage, kUser, 0};
    check(MemorySnapshot::map({&all, 1}, one(std::move(fd)), &memory) == Reason::none, "the table maps");
    check(!is_open(number), "the fd of a mapped file is closed at once");

    for (int n = 0; n < kMostToFree; n++) waiting.push_back(sealed.share().release());
    const int beyond = sealed.share().release();
    for (const int other : waiting) close_received(other);
    check(is_open(waiting.front()) && is_open(waiting.back()), "other fds wait for the blocked threads");
    close_received(beyond);
    check(!is_open(beyond), "not more than kMostToFree fds wait");
  }
  Count freed;
  freeing_threads().run(0, [&] { freed.add(); });
  freed.until(1);
}

// The kernel reports failed memory with a signal. This process can send the same signal to itself.
void hardware_that_failed() {
  File file(4);
  const auto memory = share(file.fd.get(), 0, 4 * kPage);
  siginfo_t info{};
  info.si_signo = SIGBUS;
  info.si_code = BUS_MCEERR_AO;
  info.si_addr = memory->regions()[0].host + kPage;
  check(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0, "the signal is sent");
  check(memory->poisoned() && memory->loss() == Loss::hardware, "the reason is `hardware`");
  check(memory->regions()[0].host[2 * kPage] == 0, "the whole range consists of zero pages now");
}

/// Uses four pages. Page 1 is in a guarded range. Page 2 is in no range, so it must never be changed. Another
/// thread guards pages 0 and 3 alternately, in the same slot of the handler's table.
void ranges_are_not_mixed() {
  const size_t size = 4 * kPage;
  auto* base =
      static_cast<uint8_t*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  check(base != MAP_FAILED, "four pages are mapped");
  uint8_t* foreign = base + 2 * kPage;
  *foreign = 7;
  std::vector<GuardedRange> used_again(4096);
  for (auto& range : used_again)
    std::construct_at(&range, nullptr, 0);      // uses up all free slots, so that the next slots are new ones
  auto* first = new GuardedRange(base, kPage);  // its slot comes before the next one in the handler's search
  const GuardedRange covered(base + kPage, kPage);
  std::atomic<bool> over{false};
  std::thread other([&] {
    delete first;
    while (!over) {
      { const GuardedRange low(base, kPage); }
      { const GuardedRange high(base + 3 * kPage, kPage); }
    }
  });
  siginfo_t info{};
  info.si_signo = SIGBUS;
  info.si_code = BUS_MCEERR_AO;
  info.si_addr = base + kPage;
  for (int n = 0; n < 20'000; n++) {
    check(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0, "the signal is sent");
    check(*static_cast<volatile uint8_t*>(foreign) == 7, "C7: the handler does not change other memory");
  }
  over = true;
  other.join();
  check(covered.poison() == Poison::hardware, "the range with the failed page is poisoned");
  info.si_code = BUS_ADRERR;
  check(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0,
        "a signal for a missing page is sent");
  check(covered.poison() == Poison::hardware, "a missing page does not replace the reason `hardware`");
  munmap(base, size);
}

const Register tests[] = {
    {"hostile C21: a memory change has the steps open, commit and close", three_steps},
    {"hostile C21: a device can be destroyed during a memory change", destroyed_meanwhile},
    {"hostile C14: close() unmaps former memory, not the thread that serves rings",
     former_memory_is_unmapped_last},
    {"hostile C14: the first memory of a device leaves nothing to unmap",
     first_memory_leaves_nothing_to_close},
    {"hostile B16: memory changes work under traffic", changes_under_traffic},
    {"hostile C8: the reason for a missing page is known", why_a_page_was_missing},
    {"hostile C7: the SIGBUS handler never mixes the start and end of two ranges", ranges_are_not_mixed},
    {"hostile C9: memory that fails in hardware is reported as such", hardware_that_failed},
    {"hostile C21: fds of memory do not pile up while other memory is being freed",
     fds_do_not_wait_for_other_memory},
};

}  // namespace
}  // namespace rxvhost::test
