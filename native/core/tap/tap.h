// A Linux TAP interface: moves frames between the slots of a pool and the kernel's network stack. Each frame
// begins with a virtio-net header (IFF_VNET_HDR), which we store as the packet's metadata. So partial
// checksums and frames that still have to be segmented pass unchanged in both directions. A call from
// JavaScript moves a burst, with one system call per frame, because the kernel has no call for several
// frames. This code does not depend on rings or on Node.
#pragma once

#include <net/if.h>

#include <cstdint>
#include <memory>

#include "core/base/fd.h"
#include "core/base/limits.h"
#include "core/net/burst.h"
#include "core/net/net_header.h"
#include "core/net/pool.h"
#include "core/virtqueue/counters.h"

namespace rxvhost {

/// Only one thread may use an object of this class. On failure, the functions return a negative errno.
class Tap {
 public:
  /// Opens the interface with this name. Creates the interface if it does not exist. If `name` is empty, the
  /// kernel chooses the name.
  static int open(const char* name, std::unique_ptr<Tap>* made);
  /// Uses an fd that is attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR. Takes ownership of the
  /// fd only after this has been checked.
  static int adopt(int fd, std::unique_ptr<Tap>* made);

  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  int fd() const { return fd_.get(); }
  const char* name() const { return name_; }
  /// Sets the offloads that frames from the interface may use, such as partial checksums. `guest_features`
  /// are the features that the receiving guest negotiated (VIRTIO_NET_F_GUEST_*).
  int set_offloads(uint64_t guest_features);
  /// Makes the interface continue to exist after its fd is closed.
  int persist();
  int set_mtu(uint32_t mtu);
  int set_up();

  /// Works like dequeue_burst(). If the pool has no slot for a frame, the frame is the first one of the next
  /// call.
  uint32_t read_burst(Pool& pool, uint32_t account, uint32_t max, uint32_t* slots);
  /// Works like enqueue_burst(). Returns kBurstMore if the kernel can't take more frames at the moment.
  uint32_t write_burst(Pool& pool, const uint32_t* slots, uint32_t count);

  /// Counters of the frames from the host, and of the frames to the host.
  const std::shared_ptr<Counters>& from_host() const { return from_host_; }
  const std::shared_ptr<Counters>& to_host() const { return to_host_; }
  /// Returns the errno that made the interface unusable, or 0. EBADFD means that the interface was deleted.
  int error() const { return error_; }

 private:
  explicit Tap(Fd fd) : fd_(std::move(fd)), frame_(new uint8_t[kMaxPacket + 1]) {}
  int prepare();
  int interface_ioctl(unsigned long request, struct ifreq* wanted);
  enum class Got { frame, nothing, dropped, error };
  Got receive();
  Got drop(Stat why) { return from_host_->at[why]++, Got::dropped; }
  enum class Put { taken, dropped, full, error };
  Put send(const uint8_t* frame, const SlotMeta& meta);

  const Fd fd_;
  char name_[IFNAMSIZ] = {};
  int error_ = 0;
  // A frame that was read but is not in a slot yet. It is read here first, because its length must be known
  // before a slot can be chosen. `waiting_` is its length, or 0 if there is no such frame.
  uint32_t waiting_ = 0;
  NetHeader header_{};
  std::unique_ptr<uint8_t[]> frame_;
  const std::shared_ptr<Counters> from_host_ = std::make_shared<Counters>();
  const std::shared_ptr<Counters> to_host_ = std::make_shared<Counters>();
};

}  // namespace rxvhost
