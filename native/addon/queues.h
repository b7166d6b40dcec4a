// Handles of one env on rings, and the packet pool that it copies into. A handle outlives its ring: calls on
// a ring that has stopped or gone answer so, they never touch it.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "core/net/device.h"
#include "core/net/pool.h"

namespace rxvhost::addon {

struct AddonEnv;

class QueueTable {
 public:
  explicit QueueTable(AddonEnv& env) : env_(env) {}
  ~QueueTable();

  struct Queue {
    std::shared_ptr<Device> device;  // empty: the handle is closed
    Virtqueue* ring = nullptr;
    uint32_t index = 0;
    uint32_t account = 0;
    bool watching = false;
    uint32_t tag = 0;
    Fd watched;  // our own duplicate of the kick fd: it leaves the epoll before it is closed, whoever else
                 // holds one
  };

  uint32_t open(std::shared_ptr<Device> device, uint32_t index, uint32_t account);
  void close(uint32_t handle);
  Queue* find(uint32_t handle) {
    return handle < queues_.size() && queues_[handle].device ? &queues_[handle] : nullptr;
  }
  /// Reports the kicks of the ring under `tag`, whatever its kick fd is or becomes.
  int watch(Queue& queue, uint32_t tag);
  void unwatch(Queue& queue);
  /// A ring got another kick fd: handles that watch it move over.
  void kick_changed(const Device& device, uint32_t index);

  /// Devices of this env, destroyed with it.
  std::vector<uint32_t> devices;
  // Shared with the array buffers that show it to JavaScript, which may be collected after the env's own
  // data.
  std::shared_ptr<Pool> pool = std::make_shared<Pool>();

 private:
  AddonEnv& env_;
  std::vector<Queue> queues_;
  std::vector<uint32_t> free_;
};

}  // namespace rxvhost::addon
