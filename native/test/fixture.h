// A guest's port and the back end's two rings in the port's memory, set up without a socket. The state is the
// same as after SET_MEM_TABLE and the vring messages.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "core/net/dequeue.h"
#include "core/net/enqueue.h"
#include "core/net/net_header.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"
#include "guest/port.h"
#include "test/harness.h"

namespace rxvhost::test {

// The front end's user address. Any value works that is not an address of this process.
inline constexpr uint64_t kUser = 0x7f00'0000'0000;

inline std::shared_ptr<const MemorySnapshot> share(int memfd, uint64_t guest, uint64_t size,
                                                   uint64_t offset = 0) {
  std::vector<Fd> fds;
  fds.emplace_back(fcntl(memfd, F_DUPFD_CLOEXEC, 3));
  const RegionSpec spec{guest, size, kUser + offset, offset};
  std::shared_ptr<const MemorySnapshot> memory;
  check(MemorySnapshot::map({&spec, 1}, std::move(fds), &memory) == Reason::none, "the memory maps");
  return memory;
}

/// Adds a region, like ADD_MEM_REG.
inline Reason add(const std::shared_ptr<const MemorySnapshot>& memory, const RegionSpec& spec, Fd fd,
                  std::shared_ptr<const MemorySnapshot>* out) {
  Backings files = memory->backings();
  Region region{};
  const Reason reason = open_region(spec, std::move(fd), &files, &region);
  return reason == Reason::none ? memory->add(region, out) : reason;
}

inline RingConfig config_of(const guest::RingPlace& place, uint32_t size, uint64_t features) {
  return {size, 0, kUser + place.descriptors, kUser + place.used, kUser + place.available, features};
}

inline void open_account(Pool& pool, uint32_t id, uint32_t packets = 1024) {
  pool.account(id).packet_limit = packets;
  pool.account(id).byte_limit = 64 << 20;
}

struct Machine {
  guest::Port port;
  Virtqueue to_guest, from_guest;

  explicit Machine(const guest::PortOptions& options, uint64_t features) {
    check(port.open(options) == 0, "the port opens");
    check(port.start(features) == 0, "the port starts");
    auto memory = share(port.memory().fd(), guest::Port::kGuestAddress, port.memory().size());
    const auto& rings = port.plan().rings;
    check(to_guest.start(config_of(rings[0], options.queue_size, features), memory) == Reason::none,
          "ring 0 starts");
    check(from_guest.start(config_of(rings[1], options.queue_size, features), memory) == Reason::none,
          "ring 1 starts");
  }
};

}  // namespace rxvhost::test
