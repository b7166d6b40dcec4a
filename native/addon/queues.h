// One env's handles of rings, and the packet pool that packets are copied into. A handle can outlive its
// ring. A call for a ring that is stopped or destroyed reports the ring's state and never accesses the ring's
// memory.
#pragma once

#include <napi.h>

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/net/net_device.h"
#include "core/net/pool.h"

namespace rxvhost::addon {

struct AddonEnv;

class QueueTable {
 public:
  explicit QueueTable(AddonEnv& env) : env_(env) {}
  ~QueueTable();

  struct Queue {
    std::shared_ptr<NetDevice> device;  // null if the handle is closed
    Virtqueue* ring = nullptr;
    uint32_t account = 0;
    Counters* counters = nullptr;  // part of the handle's block
    bool watching = false;
    uint32_t tag = 0;
    // The ring's kick fd, or a duplicate of it. An epoll can hold an fd only once, so another handle that
    // watches the same ring needs a duplicate.
    std::shared_ptr<const Fd> watched;
  };

  /// Number of consecutive handles whose counters JavaScript sees as one array. They share an array because
  /// an array takes more memory than the counters of one handle.
  static constexpr uint32_t kBlock = 16;
  struct CounterBlock {
    std::array<Counters, kBlock> of;
  };

  uint32_t open(std::shared_ptr<NetDevice> device, uint32_t index, uint32_t account);
  void close(uint32_t handle);
  Queue* find(uint32_t handle) {
    return handle < queues_.size() && queues_[handle].device ? &queues_[handle] : nullptr;
  }
  /// Returns the block with the counters of an open handle. The JavaScript array of the block shares its
  /// ownership.
  const std::shared_ptr<CounterBlock>& block(uint32_t handle) const { return blocks_[handle / kBlock]; }
  /// Reports the kicks of the ring with `tag`, also after the ring gets another kick fd.
  Reason watch(Queue& queue, uint32_t tag);
  void unwatch(Queue& queue);
  /// Gives the ring another kick fd, or none. All handles that watch the ring then watch the new fd. If one
  /// of them can't watch the new fd, nothing changes.
  Reason change_kick(Virtqueue& ring, Fd fd);

  /// Devices of this env, which are destroyed with the env.
  std::vector<uint32_t> devices;
  /// Records that packets were enqueued to this handle's ring.
  void given(uint32_t handle) {
    if (recent_[last_] != handle) recent_[last_ = (last_ + 1) % recent_.size()] = handle;
  }
  /// Returns rings that recently got packets and probably will get more. The result is valid until the next
  /// call.
  std::span<Virtqueue* const> recent_sinks();

  /// Time spent in spinWait() at empty rings.
  std::chrono::nanoseconds spin_waited{0};
  // JavaScript's array buffers share ownership of the pool, because they may be collected after the env's
  // data is destroyed.
  std::shared_ptr<Pool> pool = std::make_shared<Pool>();

 private:
  /// Returns the fd that is now watched, which is the kick fd or a duplicate. Returns null on failure.
  std::shared_ptr<const Fd> add_watch(std::shared_ptr<const Fd> kick, uint32_t tag);

  static constexpr uint32_t kRecent = 4;  // enough for a mirror to three ports; older handles are overwritten

  AddonEnv& env_;
  std::vector<Queue> queues_;
  std::vector<std::shared_ptr<CounterBlock>> blocks_;
  std::array<uint32_t, kRecent> recent_ = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};  // handles
  uint32_t last_ = 0;  // index in recent_
  std::array<Virtqueue*, kRecent> sinks_{};
  std::unordered_multimap<const Virtqueue*, uint32_t> by_ring_;  // handles
  std::vector<uint32_t> free_;
};

}  // namespace rxvhost::addon
