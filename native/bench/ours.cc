// Our core as a bench/back_end.h. It makes the same calls into core/ that addon/ makes for the control
// plane's effects and for bursts. JavaScript releases packets (src/data/pool/pool.ts), so a release is never
// measured here.
#include <fcntl.h>

#include <vector>

#include "bench/back_end.h"
#include "core/base/result.h"
#include "core/net/dequeue.h"
#include "core/net/enqueue.h"
#include "core/net/pool.h"
#include "core/vhost/device.h"

using namespace rxvhost;

RXVHOST_MEASURED uint32_t measured_ours_dequeue(Virtqueue* queue, Pool* pool, uint32_t account, uint32_t max,
                                                uint32_t* slots) {
  return dequeue_burst(*queue, *pool, account, max, slots);
}

RXVHOST_MEASURED uint32_t measured_ours_enqueue(Virtqueue* queue, Pool* pool, const uint32_t* slots,
                                                uint32_t count) {
  return enqueue_burst(*queue, *pool, slots, count);
}

namespace rxvhost::bench {

namespace {

constexpr uint32_t kFromGuestAccount = 1, kToGuestAccount = 2;
constexpr uint64_t kUser = 0x7f00'0000'0000;  // the front end's base address, which must not be one of ours

class Ours final : public BackEnd {
 public:
  std::string attach(guest::Port& port, uint64_t features) override {
    if (!pool_.open(64 << 20)) return "no memory for the pool";
    for (uint32_t id : {kFromGuestAccount, kToGuestAccount}) {
      pool_.account(id).packet_limit = 1024;
      pool_.account(id).byte_limit = 8 << 20;
    }
    const RegionSpec region{guest::Port::kGuestAddress, port.memory().size(), kUser, 0};
    std::vector<Fd> fds;
    fds.emplace_back(fcntl(port.memory().fd(), F_DUPFD_CLOEXEC, 0));
    std::shared_ptr<const MemorySnapshot> table;
    if (const Reason why = MemorySnapshot::map({&region, 1}, std::move(fds), &table); why != Reason::none)
      return reason_name(why);
    std::vector<uint32_t> lost;
    FormerMemory former;
    if (const Reason why = device_.set_table(table, &lost, &former); why != Reason::none)
      return reason_name(why);
    for (uint32_t n : {guest::kToGuest, guest::kFromGuest}) {
      const guest::RingPlace& at = port.plan().rings[n];
      const RingConfig config{kRingSize, 0, kUser + at.descriptors, kUser + at.used, kUser + at.available,
                              features};
      if (const Reason why = device_.start(n, config); why != Reason::none) return reason_name(why);
      device_.ring(n)->set_call(Fd(fcntl(port.call_fd(n), F_DUPFD_CLOEXEC, 0)));
      device_.ring(n)->suppress_kick();
    }
    to_guest_ = device_.ring(guest::kToGuest);
    from_guest_ = device_.ring(guest::kFromGuest);
    return {};
  }

  uint32_t dequeue(uint32_t max) override {
    held_ = measured_ours_dequeue(from_guest_, &pool_, kFromGuestAccount, max, slots_) & kBurstCount;
    return held_;
  }
  guest::Span packet(uint32_t n) override { return span(slots_[n]); }
  void release() override {
    for (uint32_t n = 0; n < held_; n++) pool_.give_back(slots_[n]);
    held_ = 0;
  }
  uint32_t dequeue_and_release(uint32_t) override { return 0; }

  guest::Span prepare(uint32_t n, uint32_t length) override {
    if (n == 0) {
      for (uint32_t slot : ready_) pool_.give_back(slot);
      ready_.clear();
    }
    const int32_t slot = pool_.take(length, kToGuestAccount);
    if (slot < 0) return {};
    pool_.meta(slot).header = {};
    ready_.push_back(slot);
    return span(slot);
  }
  uint32_t enqueue(uint32_t count) override {
    return measured_ours_enqueue(to_guest_, &pool_, ready_.data(), count) & kBurstCount;
  }
  uint64_t counted(guest::RingIndex ring) override { return device_.ring(ring)->stats()[stat_packets]; }

 private:
  guest::Span span(uint32_t slot) {
    return {reinterpret_cast<std::byte*>(pool_.data(slot)), pool_.meta(slot).length};
  }

  Pool pool_;
  Device device_{1, 0};
  Virtqueue* to_guest_ = nullptr;
  Virtqueue* from_guest_ = nullptr;
  uint32_t slots_[kMaxBurstMeasured];
  uint32_t held_ = 0;
  std::vector<uint32_t> ready_;
};

}  // namespace

std::unique_ptr<BackEnd> make_ours() { return std::make_unique<Ours>(); }

}  // namespace rxvhost::bench
