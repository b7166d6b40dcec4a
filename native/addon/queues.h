// Handles of one env on rings, and the packet pool that it copies into. A handle outlives its ring:
// a call on a ring that has stopped or been destroyed reports that and never accesses the ring.
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
    std::shared_ptr<NetDevice> device;  // empty: the handle is closed
    Virtqueue* ring = nullptr;
    uint32_t account = 0;
    Counters* counters = nullptr;  // of its block
    bool watching = false;
    uint32_t tag = 0;
    std::shared_ptr<const Fd> watched;  // the ring's kick fd, or a duplicate: a file is once in an epoll by
                                        // each of its numbers, and another handle may watch this ring too
  };

  /// Counters of so many handles in a row are shown to JavaScript as one array, which costs more than it
  /// shows.
  static constexpr uint32_t kBlock = 16;
  struct CounterBlock {
    std::array<Counters, kBlock> of;
  };

  uint32_t open(std::shared_ptr<NetDevice> device, uint32_t index, uint32_t account);
  void close(uint32_t handle);
  Queue* find(uint32_t handle) {
    return handle < queues_.size() && queues_[handle].device ? &queues_[handle] : nullptr;
  }
  /// The block with the counters of an open handle, shared with the array that shows it.
  const std::shared_ptr<CounterBlock>& block(uint32_t handle) const { return blocks_[handle / kBlock]; }
  /// Reports the kicks of the ring under `tag`, whatever its kick fd is or becomes.
  Reason watch(Queue& queue, uint32_t tag);
  void unwatch(Queue& queue);
  /// Gives the ring another kick fd, or none. All handles that watch the ring then watch the new fd; if one
  /// fails, the ring keeps the old fd.
  Reason change_kick(Virtqueue& ring, Fd fd);

  /// Devices of this env, destroyed with it.
  std::vector<uint32_t> devices;
  /// Notes that packets were enqueued to this handle's ring.
  void given(uint32_t handle) {
    if (recent_[last_] != handle) recent_[last_ = (last_ + 1) % recent_.size()] = handle;
  }
  /// Rings that recently got packets, and probably will again. Valid until the next call.
  std::span<Virtqueue* const> recent_sinks();

  /// Time spent in spinWait() at empty rings.
  std::chrono::nanoseconds spin_waited{0};
  // Shared with the array buffers that show it to JavaScript, which may be collected after the env's own
  // data.
  std::shared_ptr<Pool> pool = std::make_shared<Pool>();

 private:
  /// Returns the fd that is now watched: the kick itself or a duplicate; empty on failure.
  std::shared_ptr<const Fd> add_watch(std::shared_ptr<const Fd> kick, uint32_t tag);

  static constexpr uint32_t kRecent = 4;  // enough for a mirror to three ports; beyond that, the latest

  AddonEnv& env_;
  std::vector<Queue> queues_;
  std::vector<std::shared_ptr<CounterBlock>> blocks_;
  std::array<uint32_t, kRecent> recent_ = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};  // handles
  uint32_t last_ = 0;                                                                        // of recent_
  std::array<Virtqueue*, kRecent> sinks_{};
  std::unordered_multimap<const Virtqueue*, uint32_t> by_ring_;  // handles
  std::vector<uint32_t> free_;
};

}  // namespace rxvhost::addon
