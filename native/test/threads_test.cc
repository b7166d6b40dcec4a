// Handles messages about a ring while another thread serves the ring: B16. `npm run test:asan` runs this test
// under ThreadSanitizer, which finds most errors here.
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

#include "core/base/eventfd.h"
#include "core/net/net_device.h"
#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint32_t kRounds = 3000;

/// Makes the guest send frames, and sends them back to the guest. Only this thread uses the guest's side of
/// the rings.
void serve(Machine& machine, Pool& pool, uint32_t mtu) {
  uint32_t slots[kMaxBurst];
  machine.port.generate(8);
  const uint32_t count = dequeue_burst(machine.from_guest, pool, 1, 32, slots) & kBurstCount;
  enqueue_burst(machine.to_guest, pool, slots, count, nullptr, mtu);
  for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
  machine.from_guest.arm_kick();
  machine.to_guest.arm_kick();
  machine.from_guest.suppress_kick();
}

void all_messages_under_traffic() {
  const guest::PortOptions options;
  const uint64_t features = uint64_t{1} << VIRTIO_F_VERSION_1 | uint64_t{1} << VIRTIO_RING_F_EVENT_IDX;
  Machine machine(options, features);
  const auto& guest = machine.port.memory();
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  NetDevice device(1, 0);

  std::atomic<bool> over = false;
  std::atomic<uint32_t> bursts = 0;
  std::thread data([&] {
    while (!over.load()) {
      serve(machine, pool, device.mtu());
      bursts.fetch_add(1);
    }
  });
  for (uint32_t n = 0; n < kRounds || bursts.load() < kRounds; n++) {
    const uint32_t index = n % 2;
    Virtqueue& ring = index == 0 ? machine.to_guest : machine.from_guest;
    auto memory = share(guest.fd(), guest::Port::kGuestAddress, guest.size());
    check(ring.move(memory) == Reason::none, "SET_MEM_TABLE succeeds");
    ring.set_call(make_eventfd());
    ring.set_error(make_eventfd());
    device.set_mtu(1500 + n % 2);
    check(ring.set_log(n % 3 == 0, 0) == Reason::none, "SET_VRING_ADDR succeeds");
    check(ring.fault() == Reason::none, "no fault");
    if (n % 4 > 1) continue;
    const int64_t base = ring.stop();
    check(base >= 0 && !ring.running(), "GET_VRING_BASE succeeds");
    RingConfig config = config_of(machine.port.plan().rings[index], options.queue_size, features);
    config.base = static_cast<uint32_t>(base);
    check(ring.start(config, std::move(memory)) == Reason::none, "SET_VRING_KICK succeeds");
    check(ring.started_at() == config.base, "the ring continues at the index where it stopped");
  }
  over.store(true);
  data.join();
  check(machine.to_guest.fault() == Reason::none && machine.from_guest.fault() == Reason::none, "no fault");
}

const Register b16("hostile B16: all messages about a ring work while the ring is served",
                   all_messages_under_traffic);

}  // namespace
}  // namespace rxvhost::test
