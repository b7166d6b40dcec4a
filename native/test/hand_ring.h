// A ring whose descriptors, entries and indices the test writes itself, so that they can have values that the
// embedded guest's driver never writes.
#pragma once

#include <sys/mman.h>

#include "test/fixture.h"

namespace rxvhost::test {

inline constexpr uint64_t kGuest = 0x10000;
inline constexpr uint64_t kModern = feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_RING_F_INDIRECT_DESC);

// A ring that the test writes, in its own file. Buffers may be in a second file.
struct HandRing {
  static constexpr uint64_t kAvail = 1 << 20, kUsed = 2 << 20, kBuffers = 3 << 20, kSize = 8 << 20;
  static constexpr uint64_t kFar = 0x1000'0000, kFarSize = 1 << 20;

  Fd file{memfd_create("ring", MFD_CLOEXEC)}, far{memfd_create("far", MFD_CLOEXEC)};
  uint8_t* base;
  uint32_t size;
  Virtqueue queue;
  Pool pool;

  explicit HandRing(uint32_t entries, uint64_t features = kModern) : size(entries) {
    check(ftruncate(file.get(), kSize) == 0 && ftruncate(far.get(), kFarSize) == 0,
          "the files have their sizes");
    void* got = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    check(got != MAP_FAILED, "the ring maps");
    base = static_cast<uint8_t*>(got);
    const RegionSpec specs[] = {{kGuest, kSize, kUser, 0}, {kFar, kFarSize, 2 * kUser, 0}};
    std::vector<Fd> fds;
    fds.emplace_back(fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
    fds.emplace_back(fcntl(far.get(), F_DUPFD_CLOEXEC, 3));
    std::shared_ptr<const MemorySnapshot> memory;
    check(MemorySnapshot::map(specs, std::move(fds), &memory) == Reason::none, "the memory maps");
    check(queue.start({size, 0, kUser, kUser + kUsed, kUser + kAvail, features}, memory) == Reason::none,
          "the ring starts");
    check(pool.open(32 << 20), "the pool opens");
    open_account(pool, 1);
  }
  ~HandRing() { munmap(base, kSize); }

  vring_desc* table(uint64_t at = 0) { return reinterpret_cast<vring_desc*>(base + at); }
  vring_used* used() { return reinterpret_cast<vring_used*>(base + kUsed); }
  vring_avail* avail() { return reinterpret_cast<vring_avail*>(base + kAvail); }
  void offer(uint16_t head) {
    avail()->ring[avail()->idx % size] = head;
    __atomic_store_n(&avail()->idx, static_cast<uint16_t>(avail()->idx + 1), __ATOMIC_RELEASE);
  }
  uint32_t dequeue(uint32_t* slots) { return dequeue_burst(queue, pool, 1, kMaxBurst, slots); }
};

}  // namespace rxvhost::test
