// A vhost device whose rings carry packets. It adds the settings of the network, which the front end sends,
// to the memory and the rings that every device has (core/vhost). The addon passes them to the bursts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/vhost/device.h"

namespace rxvhost {

class NetDevice final : public Device {
 public:
  using Device::Device;
  /// Sets the guest's MTU, 0 = none, for bursts that begin after the call, on any thread.
  void set_mtu(uint32_t mtu) { mtu_.store(mtu, std::memory_order_relaxed); }
  uint32_t mtu() const { return mtu_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> mtu_ = 0;
};

/// All devices of the registry are network devices, because there is no other kind so far.
inline std::shared_ptr<NetDevice> find_net_device(uint32_t id) {
  return std::static_pointer_cast<NetDevice>(Registry::get().find(id));
}

}  // namespace rxvhost
