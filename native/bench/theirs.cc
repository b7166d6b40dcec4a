// librte_vhost as a bench/back_end.h. It listens on a socket in a private folder and answers messages on its
// own threads. It is called as an application calls it, with statistics on. Only this file depends on DPDK.
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string_view>

#include "bench/back_end.h"
#include "bench/front_end.h"

RXVHOST_MEASURED uint16_t measured_theirs_dequeue(int device, rte_mempool* pool, rte_mbuf** packets,
                                                  uint16_t max) {
  return rte_vhost_dequeue_burst(device, rxvhost::guest::kFromGuest, pool, packets, max);
}

RXVHOST_MEASURED uint16_t measured_theirs_dequeue_free(int device, rte_mempool* pool, rte_mbuf** packets,
                                                       uint16_t max) {
  const uint16_t count = rte_vhost_dequeue_burst(device, rxvhost::guest::kFromGuest, pool, packets, max);
  rte_pktmbuf_free_bulk(packets, count);
  return count;
}

RXVHOST_MEASURED uint16_t measured_theirs_enqueue(int device, rte_mbuf** packets, uint16_t count) {
  return rte_vhost_enqueue_burst(device, rxvhost::guest::kToGuest, packets, count);
}

namespace rxvhost::bench {

namespace {

constexpr unsigned kMbufs = 2048, kMbufCache = 250;  // testpmd uses the same cache size
constexpr uint64_t kDriverFlags = RTE_VHOST_USER_NET_STATS_ENABLE | RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;

// The id of the device, or -1 if there is none. librte_vhost's thread sets it.
std::atomic<int> live_device{-1};

int first_core() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int n = 0; n < CPU_SETSIZE; n++)
      if (CPU_ISSET(n, &set)) return n;
  return 0;
}

std::string start_eal() {
  const std::string core = "0@" + std::to_string(first_core());
  std::array<const char*, 10> args = {
      "micro", "--lcores", core.c_str(),     "--no-huge",   "-m",
      "64",    "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=error"};
  return rte_eal_init(args.size(), const_cast<char**>(args.data())) < 0
             ? std::string("the EAL could not start: ") + rte_strerror(rte_errno)
             : std::string();
}

class Theirs final : public BackEnd {
 public:
  explicit Theirs(const std::string& folder) : path_(folder + "/theirs.sock") {}
  ~Theirs() override {
    if (pool_) rte_vhost_driver_unregister(path_.c_str());
  }

  std::string attach(guest::Port& port, uint64_t features) override {
    if (std::string why = start_eal(); !why.empty()) return why;
    pool_ =
        rte_pktmbuf_pool_create("packets", kMbufs, kMbufCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!pool_ || rte_pktmbuf_alloc_bulk(pool_, ready_, kMaxBurstMeasured) != 0)
      return std::string("mbufs could not be allocated: ") + rte_strerror(rte_errno);
    static const rte_vhost_device_ops events = {
        .new_device = [](int device) { return live_device.store(device), 0; },
        .destroy_device = [](int) { live_device.store(-1); },
        .vring_state_changed = nullptr,
        .features_changed = nullptr,
        .new_connection = nullptr,
        .destroy_connection = nullptr,
        .guest_notified = nullptr,
        .reserved = {},
    };
    if (rte_vhost_driver_register(path_.c_str(), kDriverFlags) != 0 ||
        rte_vhost_driver_callback_register(path_.c_str(), &events) != 0 ||
        rte_vhost_driver_start(path_.c_str()) != 0)
      return "librte_vhost could not listen on its socket";
    if (std::string why = front_end_.start(path_, port, features); !why.empty()) return why;
    // The last message was answered, so the device exists. But librte_vhost's thread may not have set
    // `live_device` yet.
    for (int n = 0; n < 5000 && live_device < 0; n++) usleep(1000);
    if (live_device < 0) return "librte_vhost did not start the device";
    uint64_t negotiated = 0;
    rte_vhost_get_negotiated_features(live_device, &negotiated);
    if ((negotiated & ~(uint64_t{1} << VHOST_USER_F_PROTOCOL_FEATURES)) != features)
      return "the negotiated features differ from the requested features";
    for (uint16_t ring : {guest::kToGuest, guest::kFromGuest})
      rte_vhost_enable_guest_notification(live_device, ring, 0);
    return {};
  }

  uint32_t dequeue(uint32_t max) override {
    held_ = measured_theirs_dequeue(live_device, pool_, packets_, max);
    return held_;
  }
  guest::Span packet(uint32_t n) override { return span(packets_[n]); }
  void release() override {
    rte_pktmbuf_free_bulk(packets_, held_);
    held_ = 0;
  }
  uint32_t dequeue_and_release(uint32_t max) override {
    return measured_theirs_dequeue_free(live_device, pool_, packets_, max);
  }

  guest::Span prepare(uint32_t n, uint32_t length) override {
    ready_[n]->data_len = ready_[n]->pkt_len = length;
    return span(ready_[n]);
  }
  uint32_t enqueue(uint32_t count) override { return measured_theirs_enqueue(live_device, ready_, count); }
  uint64_t counted(guest::RingIndex ring) override {
    std::array<rte_vhost_stat_name, 64> names;
    std::array<rte_vhost_stat, 64> values;
    const int count = rte_vhost_vring_stats_get_names(live_device, ring, names.data(), names.size());
    if (rte_vhost_vring_stats_get(live_device, ring, values.data(), values.size()) != count) return 0;
    for (int n = 0; n < count; n++)
      if (std::string_view(names[values[n].id].name).ends_with("_good_packets")) return values[n].value;
    return 0;
  }

 private:
  static guest::Span span(rte_mbuf* packet) {
    return {rte_pktmbuf_mtod(packet, std::byte*), packet->data_len};
  }

  const std::string path_;
  FrontEnd front_end_;
  rte_mempool* pool_ = nullptr;
  rte_mbuf* packets_[kMaxBurstMeasured];
  rte_mbuf* ready_[kMaxBurstMeasured];
  uint32_t held_ = 0;
};

}  // namespace

std::unique_ptr<BackEnd> make_theirs(const std::string& folder) { return std::make_unique<Theirs>(folder); }

}  // namespace rxvhost::bench
