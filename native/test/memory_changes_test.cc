// Changes of a device's memory on their way through the threads that may block: C21, C14, B16, C8.
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
  check(carry_out(table) == Reason::none, "SET_MEM_TABLE");
  MemoryChange more(*device, MemoryChange::Kind::add, {kSecond}, one(other.share()));
  check(carry_out(more) == Reason::none, "ADD_MEM_REG");
  MemoryChange again(*device, MemoryChange::Kind::add, {kSecond}, one(other.share()));
  check(carry_out(again) == Reason::none, "Q28: it is there");
  check(device->backings().size() == 2, "two files");
  MemoryChange less(*device, MemoryChange::Kind::remove, {kSecond}, {});
  check(carry_out(less) == Reason::none && device->backings().size() == 1, "REM_MEM_REG");
  RegionSpec beyond = kSecond;
  beyond.size = 5 * kPage;
  MemoryChange failing(*device, MemoryChange::Kind::table, {kFirst, beyond}, [&] {
    std::vector<Fd> fds = one(file.share());
    fds.push_back(other.share());
    return fds;
  }());
  check(carry_out(failing) == Reason::mem_file_size, "C15: one that can't be mapped");
  check(device->backings().size() == 1, "C15: and the table before is in force");
  Registry::get().destroy(device->id());
}

/// Between open() and commit() the device goes; then again before open().
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
    check(weak.expired(), "C21: the device does not wait for it");
    if (before) {
      change.open();
      check(change.reason() == Reason::device_gone, "C21: nothing is mapped for it either");
    }
    change.commit();
    check(change.reason() == Reason::device_gone, "C21: and it has no effect");
    change.close();
    struct stat now {};
    check(fstat(file.fd.get(), &now) == 0 && now.st_nlink == 0, "the file is the test's alone");
  }
  // One that somebody still holds a share of, as a thread that runs its rings would.
  auto device = Registry::get().create(1);
  Registry::get().destroy(device->id());
  std::vector<uint32_t> lost;
  FormerMemory former;
  check(device->set_table(share(File(4).fd.get(), 0, kPage), &lost, &former) == Reason::device_gone,
        "nor on what is left of it");
}

/// What was replaced is mapped until close(), whoever holds it.
void former_memory_goes_last() {
  auto device = Registry::get().create(1);
  File file(4), other(4);
  std::shared_ptr<const MemorySnapshot> first = share(file.fd.get(), kFirst.guest, kFirst.size);
  const uint8_t* at = first->regions()[0].host;
  std::vector<uint32_t> lost;
  FormerMemory none;
  check(device->set_table(first, &lost, &none) == Reason::none && !none.memory, "the first table");
  first.reset();
  MemoryChange change(*device, MemoryChange::Kind::table, {kSecond}, one(other.share()));
  change.open();
  change.commit();
  check(!change.holds_nothing() && is_mapped(at), "not unmapped by the thread that serves rings");
  change.close();
  check(!is_mapped(at), "C14: and unmapped before anybody is told");
  Registry::get().destroy(device->id());
}

/// It is told at once, so closing it must not be what takes long.
void first_memory_leaves_nothing_to_close() {
  auto device = Registry::get().create(1);
  File file(4);
  MemoryChange table(*device, MemoryChange::Kind::table, {kFirst}, one(file.share()));
  table.open();
  table.commit();
  check(table.reason() == Reason::none && table.holds_nothing(), "a first table");
  MemoryChange again(*device, MemoryChange::Kind::add, {kFirst}, one(file.share()));
  again.open();
  again.commit();
  check(again.reason() == Reason::none && !again.holds_nothing(), "one that was there is mapped too often");
  MemoryChange none(*device, MemoryChange::Kind::add, {kSecond}, {});
  none.open();
  none.commit();
  check(none.reason() != Reason::none && !none.holds_nothing(), "what was refused has files to close");
  table.close();
  again.close();
  none.close();
  Registry::get().destroy(device->id());
}

/// Rings are served by one thread and told by another, as in B16, while a third maps and unmaps.
void changes_under_traffic() {
  const guest::PortOptions options;
  const uint64_t features = uint64_t{1} << VIRTIO_F_VERSION_1 | uint64_t{1} << VIRTIO_RING_F_EVENT_IDX;
  guest::Port port;
  check(port.open(options) == 0 && port.start(features) == 0, "the port");
  auto device = Registry::get().create(1);
  const auto& guest = port.memory();
  const RegionSpec whole{guest::Port::kGuestAddress, guest.size(), kUser, 0};
  const auto shared = [&] { return one(Fd(fcntl(guest.fd(), F_DUPFD_CLOEXEC, 3))); };
  MemoryChange first(*device, MemoryChange::Kind::table, {whole}, shared());
  check(carry_out(first) == Reason::none, "the first table");
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
        check(change->reason() == Reason::none && change->lost().empty(), "SET_MEM_TABLE");
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
  // The last one may be anywhere on its way when the device goes.
  Registry::get().destroy(device->id());
  for (bool over = false; !over;) {
    std::lock_guard lock(mutex);
    over = !back.empty();
  }
}

Loss loss_of(MemorySnapshot& memory) {
  *const_cast<volatile uint8_t*>(memory.regions()[0].host + 3 * kPage) = 1;
  check(memory.poisoned(), "the page is not there");
  return memory.loss();
}

void why_a_page_was_missing() {
  File file(4);
  auto memory = share(file.fd.get(), 0, 4 * kPage);
  check(memory->loss() == Loss::unknown, "nothing is missing");
  check(ftruncate(file.fd.get(), kPage) == 0, "it is truncated");
  check(loss_of(const_cast<MemorySnapshot&>(*memory)) == Loss::truncated, "C7: truncated");
  check(ftruncate(file.fd.get(), 4 * kPage) == 0, "and as long as before");
  check(memory->loss() == Loss::no_backing, "which nobody can tell from a page that could not be had");

  File sealed(4, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(fcntl(sealed.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0, "sealed");
  memory = share(sealed.fd.get(), 0, 4 * kPage);
  check(memory->backings().empty(), "a sealed file, as QEMU's memfds are, need not stay open");

  std::vector<RegionSpec> specs;
  std::vector<Fd> fds;
  std::vector<File> files;
  for (uint64_t n = 0; n < 2 * kMaxBackings; n++) {
    specs.push_back({n * 16 * kPage, kPage, kUser + n * 16 * kPage, 0});
    files.emplace_back(1);
    fds.push_back(files.back().share());
  }
  check(MemorySnapshot::map(specs, std::move(fds), &memory) == Reason::none, "many files");
  check(memory->backings().size() == kMaxBackings, "some stay open");
  check(ftruncate(files.back().fd.get(), 0) == 0, "the last is truncated");
  *const_cast<volatile uint8_t*>(memory->regions().back().host) = 1;
  check(memory->poisoned() && memory->loss() == Loss::unknown, "one that did not: not known");

  fds.clear();
  specs = {{0, kPage, kUser, 0}, {16 * kPage, kPage, kUser + 16 * kPage, kPage}};
  for (int n = 0; n < 2; n++) fds.push_back(file.share());
  check(MemorySnapshot::map(specs, std::move(fds), &memory) == Reason::none, "two regions in one file");
  check(memory->backings().size() == 1, "which stays open once");
}

/// Both threads that free are stuck, as with two large guests.
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

void fds_wait_for_no_other_memory() {
  File sealed(4, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(fcntl(sealed.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0, "sealed");
  std::vector<int> waiting;
  {
    const FreeingIsStuck stuck;
    Fd fd = Fd::received(sealed.share().release());
    const int number = fd.get();
    std::shared_ptr<const MemorySnapshot> memory;
    const RegionSpec all{0, 4 * kPage, kUser, 0};
    check(MemorySnapshot::map({&all, 1}, one(std::move(fd)), &memory) == Reason::none, "a table");
    check(!is_open(number), "one that is mapped is closed at once");

    for (int n = 0; n < kMostToFree; n++) waiting.push_back(sealed.share().release());
    const int beyond = sealed.share().release();
    for (const int other : waiting) close_received(other);
    check(is_open(waiting.front()) && is_open(waiting.back()), "others wait");
    close_received(beyond);
    check(!is_open(beyond), "and no more than so many");
  }
  Count freed;
  freeing_threads().run(0, [&] { freed.add(); });
  freed.until(1);
}

// The kernel tells of memory that fails by a signal, which this process can send itself.
void hardware_that_failed() {
  File file(4);
  const auto memory = share(file.fd.get(), 0, 4 * kPage);
  siginfo_t info{};
  info.si_signo = SIGBUS;
  info.si_code = BUS_MCEERR_AO;
  info.si_addr = memory->regions()[0].host + kPage;
  check(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0, "the signal is sent");
  check(memory->poisoned() && memory->loss() == Loss::hardware, "it is told as what it is");
  check(memory->regions()[0].host[2 * kPage] == 0, "and nothing of the range is the guest's any more");
}

/// Four pages: one that is covered, one that nobody watches, and at both ends those that another thread
/// watches in turn, in one slot of the handler's table.
void no_half_ranges() {
  const size_t size = 4 * kPage;
  auto* base =
      static_cast<uint8_t*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  check(base != MAP_FAILED, "four pages");
  uint8_t* foreign = base + 2 * kPage;
  *foreign = 7;
  std::vector<GuardedRange> used_again(4096);
  for (auto& range : used_again)
    std::construct_at(&range, nullptr, 0);      // from here on each slot is a new one
  auto* first = new GuardedRange(base, kPage);  // which a handler sees before the next
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
    check(*static_cast<volatile uint8_t*>(foreign) == 7, "C7: memory of others is not touched");
  }
  over = true;
  other.join();
  check(covered.poison() == Poison::hardware, "what was missing is covered");
  info.si_code = BUS_ADRERR;
  check(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0, "and once more, as missing");
  check(covered.poison() == Poison::hardware, "what the machine did is not forgotten");
  munmap(base, size);
}

const Register tests[] = {
    {"hostile C21: a change of memory is mapped, put in force, and closed", three_steps},
    {"hostile C21: a device that is destroyed meanwhile", destroyed_meanwhile},
    {"hostile C14: former memory is unmapped last, and not under the rings", former_memory_goes_last},
    {"hostile C14: the first memory of a device leaves nothing to unmap",
     first_memory_leaves_nothing_to_close},
    {"hostile B16: memory changes under traffic", changes_under_traffic},
    {"hostile C8: why a page was missing", why_a_page_was_missing},
    {"hostile C7: a range that is taken away and given to others is never half of each", no_half_ranges},
    {"hostile C9: memory that failed in hardware", hardware_that_failed},
    {"hostile C21: fds of memory do not pile up behind memory that is being freed",
     fds_wait_for_no_other_memory},
};

}  // namespace
}  // namespace rxvhost::test
