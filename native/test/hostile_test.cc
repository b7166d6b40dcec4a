// Random rings: descriptors, indices and indirect tables of random bytes, which change between bursts. These
// must not crash the back end, make it run for a long time, or make it write outside the guest's memory. The
// sanitizers and two canary pages check this. test/hostile has tests for the individual entries of the
// catalogue of bad inputs.
#include <sys/mman.h>

#include <cstring>
#include <random>

#include "core/virtqueue/notifier.h"
#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMemory = 64 * kPage;
constexpr uint64_t kGuest = 0x10000;

struct Arena {
  Fd memfd;
  uint8_t* base;  // the whole file: canary page, guest memory, canary page

  Arena() : memfd(memfd_create("arena", MFD_CLOEXEC)) {
    check(ftruncate(memfd.get(), kMemory + 2 * kPage) == 0, "the arena has its size");
    void* got = mmap(nullptr, kMemory + 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
    check(got != MAP_FAILED, "the arena maps");
    base = static_cast<uint8_t*>(got);
    std::memset(base, 0xa5, kPage);
    std::memset(base + kPage + kMemory, 0xa5, kPage);
  }
  ~Arena() { munmap(base, kMemory + 2 * kPage); }
  uint8_t* guest() { return base + kPage; }
  void check_canaries() {
    for (uint64_t i = 0; i < kPage; i++)
      check(base[i] == 0xa5 && base[kPage + kMemory + i] == 0xa5, "the canary pages are untouched");
  }
};

// Writes random descriptors that are mostly plausible: addresses in or near the memory, small lengths, and
// valid flags. So many chains pass the first checks.
void scribble(std::mt19937_64& random, uint8_t* guest, uint32_t size) {
  auto* desc = reinterpret_cast<vring_desc*>(guest);
  for (uint32_t i = 0; i < size; i++) {
    const uint64_t r = random();
    desc[i].addr = r % 8 == 0 ? random() : kGuest + random() % (kMemory + 64) - 32;
    desc[i].len = r % 16 == 1 ? static_cast<uint32_t>(random()) : static_cast<uint32_t>(random() % 3000);
    desc[i].flags = static_cast<uint16_t>(random() % 8);
    desc[i].next = static_cast<uint16_t>(random() % (size + 1));
  }
}

void torture() {
  std::mt19937_64 random(20261123);
  Arena arena;
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  constexpr uint32_t kSize = 64;
  for (int round = 0; round < 3000; round++) {
    uint64_t features = feature(VIRTIO_RING_F_INDIRECT_DESC);
    for (unsigned bit : {VIRTIO_RING_F_EVENT_IDX, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF,
                         VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_CSUM})
      if (random() & 1) features |= feature(bit);
    for (uint64_t i = 0; i < kMemory; i += 8) {
      const uint64_t word = random();
      std::memcpy(arena.guest() + i, &word, 8);
    }
    Virtqueue queue;
    std::vector<Fd> fds;
    fds.emplace_back(fcntl(arena.memfd.get(), F_DUPFD_CLOEXEC, 3));
    const RegionSpec spec{kGuest, kMemory, kUser, kPage};
    std::shared_ptr<const MemorySnapshot> memory;
    check(MemorySnapshot::map({&spec, 1}, std::move(fds), &memory) == Reason::none,
          "the arena is a memory table");
    auto* avail = reinterpret_cast<vring_avail*>(arena.guest() + 2048);
    auto* used = reinterpret_cast<vring_used*>(arena.guest() + 4096);
    const RingConfig config{kSize, used->idx, kUser, kUser + 4096, kUser + 2048, features};
    check(queue.start(config, memory) == Reason::none, "the ring starts");
    uint16_t idx = used->idx;
    for (int burst = 0; burst < 8; burst++) {
      scribble(random, arena.guest(), kSize);
      for (uint32_t i = 0; i < kSize; i++)
        avail->ring[i] = static_cast<uint16_t>(random() % (random() % 64 == 0 ? kSize + 1 : kSize));
      idx = static_cast<uint16_t>(idx + random() % (random() % 32 == 0 ? kSize + 2 : 24));
      avail->idx = idx;
      uint32_t slots[kMaxBurst];
      const uint32_t n = dequeue_burst(queue, pool, 1, 32, slots) & kBurstCount;
      enqueue_burst(queue, pool, slots, n);
      for (uint32_t i = 0; i < n; i++) pool.give_back(slots[i]);
    }
    queue.stop();
  }
  check(pool.account(1).packets == 0, "no lease is left");
  arena.check_canaries();
}

void truncation() {
  guest::PortOptions options;
  Machine machine(options, feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_NET_F_MRG_RXBUF));
  Machine sibling(options, feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_NET_F_MRG_RXBUF));
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  uint32_t slots[kMaxBurst];
  machine.port.generate(16);
  sibling.port.generate(16);
  check(ftruncate(machine.port.memory().fd(), 0) == 0, "the file is truncated");
  const uint32_t result = dequeue_burst(machine.from_guest, pool, 1, 32, slots);
  check((result & kBurstCount) == 0 && result & kBurstFault, "no packet is dequeued");
  check(machine.from_guest.fault() == Reason::memory_revoked, "the ring has the right fault");
  check(pool.account(1).packets == 0, "no lease is left");
  check((dequeue_burst(sibling.from_guest, pool, 1, 32, slots) & kBurstCount) == 16,
        "the other device still runs");
}

void stuck_call() {
  guest::PortOptions options;
  Machine machine(options, feature(VIRTIO_F_VERSION_1));
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  // The peer fills the counter, and it clears O_NONBLOCK of the open file description, which both sides
  // share.
  Fd call(fcntl(machine.port.call_fd(1), F_DUPFD_CLOEXEC, 3));
  const uint64_t full = UINT64_MAX - 1;
  fcntl(call.get(), F_SETFL, O_RDWR | O_NONBLOCK);
  uint64_t drained;
  (void)!read(call.get(), &drained, sizeof drained);
  machine.from_guest.set_call(Fd(fcntl(call.get(), F_DUPFD_CLOEXEC, 3)));
  (void)!read(call.get(), &drained, sizeof drained);
  check(write(call.get(), &full, sizeof full) == sizeof full, "the counter is full");
  fcntl(call.get(), F_SETFL, O_RDWR);
  machine.port.generate(1);
  auto* avail =
      reinterpret_cast<vring_avail*>(machine.port.memory().at(machine.port.plan().rings[1].available));
  avail->flags = 0;  // the driver wants a call
  uint32_t slots[kMaxBurst];
  const uint32_t result = dequeue_burst(machine.from_guest, pool, 1, 32, slots);
  check((result & kBurstCount) == 1 && !(result & kBurstFault), "the packet is here, and no write was tried");
  check(notify(call) == NotifyResult::already_pending, "a full eventfd is not written");
  check(write_watched(call) == NotifyResult::stuck, "a write that blocks is interrupted");
}

const Register random_rings("hostile: random rings neither crash nor write outside the memory table",
                            torture);
const Register c7("hostile C7: a truncated memory file faults only its own device", truncation);
const Register d15("hostile D15: a full eventfd is not written, and a write that blocks is interrupted",
                   stuck_call);

}  // namespace
}  // namespace rxvhost::test
