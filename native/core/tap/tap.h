// A TAP interface of Linux: frames between the slots of a pool and the kernel's network stack. A frame has
// the virtio-net header in front of it (IFF_VNET_HDR), which is the metadata that a packet has here, so that
// checksums left to the device and frames to be segmented pass both ways as they are. One system call a
// frame, which the kernel has no other form of; a burst a call from JavaScript. It knows no rings and no
// Node.
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

/// Belongs to one thread. A failure is a negative errno.
class Tap {
 public:
  /// The interface of that name, which is made if there is none; with an empty name the kernel chooses.
  static int open(const char* name, std::unique_ptr<Tap>* made);
  /// An fd that is attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR. It is consumed once it is
  /// found to be one.
  static int adopt(int fd, std::unique_ptr<Tap>* made);

  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  int fd() const { return fd_.get(); }
  const char* name() const { return name_; }
  /// What of a device's work may be left undone in frames that come from here, by the features that the guest
  /// which gets them negotiated (VIRTIO_NET_F_GUEST_*).
  int set_offloads(uint64_t guest_features);
  /// The interface stays when this is closed.
  int persist();
  int set_mtu(uint32_t mtu);
  int set_up();

  /// As dequeue_burst(). A frame for which the pool has no slot waits here and is the next one.
  uint32_t read_burst(Pool& pool, uint32_t account, uint32_t max, uint32_t* slots);
  /// As enqueue_burst(). kBurstMore: the kernel takes no more at the moment.
  uint32_t write_burst(Pool& pool, const uint32_t* slots, uint32_t count);

  /// Of the frames that come from the host, and of those that go there.
  const std::shared_ptr<Counters>& from_host() const { return from_host_; }
  const std::shared_ptr<Counters>& to_host() const { return to_host_; }
  /// Why it is of no use any more, as an errno; 0: it is. EBADFD: the interface was deleted.
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
  // The frame that was read last: how long it is can be told only then, and its slot be chosen. It waits here
  // while `waiting_` is its length.
  uint32_t waiting_ = 0;
  NetHeader header_{};
  std::unique_ptr<uint8_t[]> frame_;
  const std::shared_ptr<Counters> from_host_ = std::make_shared<Counters>();
  const std::shared_ptr<Counters> to_host_ = std::make_shared<Counters>();
};

}  // namespace rxvhost
