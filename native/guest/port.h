// The driver side of a virtio-net port: a ring to the guest, a ring from the guest, and their buffers in
// guest memory. Frames pass with their virtio-net header (virtio 1.2 §5.1.6). This layer is between
// driver_ring (descriptors) and addon/guest (arguments). It does not depend on messages, sockets or an event
// loop: the owner of a port watches the call fds.
//
// Every operation moves a burst: it publishes once, kicks at most once and allocates no memory. Calls are
// suppressed until a ring has no room to send or nothing to receive. Then the operation requests a call and
// checks the ring once more before it returns, so that no wake-up is lost. A port that is polled never
// requests a call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/virtio.h"
#include "guest/dirty_pages.h"
#include "guest/driver_ring.h"
#include "guest/memory.h"
#include "guest/numbered.h"

namespace rxvhost::guest {

enum RingIndex : uint32_t { kToGuest = 0, kFromGuest = 1 };

/// Result of a burst of `count` frames. `more`: another call would find more frames (receive), or the ring
/// has no room now (send). `broken`: the back end broke the rules of a ring.
struct BurstResult {
  uint32_t count = 0;
  bool more = false;
  bool broken = false;
  int error = 0;  // errno of the first frame, if no frame was moved
};

struct PortStats {
  uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0;
  uint64_t kicks[2] = {}, kicks_suppressed[2] = {};
  uint64_t waits = 0;        // waits for the remaining buffers of a frame
  uint64_t bad_headers = 0;  // dropped: incomplete header, no data, or invalid num_buffers
  uint64_t oversize = 0;     // dropped: longer than the caller's space
};

class Port {
 public:
  /// The guest-physical address of the memory's offset 0. The user address is different, so that tests detect
  /// a back end that confuses the two addresses.
  static constexpr uint64_t kGuestAddress = 0x1'0000'0000;

  /// Opens one queue pair, with memory for `pairs` queue pairs. Returns 0 or an errno.
  int open(const PortOptions& options, uint32_t pairs = 1);
  /// Opens another queue pair of the same port, in the memory that `first` has allocated for it.
  int open_beside(const Port& first, uint32_t pair);
  /// Resets the rings for these features, like a driver at reset. Posts receive buffers if `auto_post` is
  /// set.
  int start(uint64_t features);
  /// Kicks the back end even if it has suppressed kicks, so that it checks the ring again. Use it after the
  /// back end has started or restarted a ring.
  void kick_now(uint32_t ring);

  /// Sends the frames that are one after the other in `bytes`. `headers` is empty or has a virtio_net_hdr of
  /// 10 bytes per frame.
  BurstResult send(std::span<const uint8_t> bytes, std::span<const uint32_t> lengths,
                   std::span<const uint8_t> headers);
  /// Receives frames and writes them one after the other to `into`. `headers` is empty or has room for a
  /// header of 12 bytes per frame, which ends with num_buffers.
  BurstResult receive(std::span<uint8_t> into, std::span<uint32_t> lengths, std::span<uint8_t> headers);
  BurstResult generate(uint32_t max);
  BurstResult check(uint32_t max);
  /// Posts up to `max` free receive buffers. Returns the number of posted buffers.
  uint32_t post_receive(uint32_t max);
  void set_auto_post(bool on) { options_.auto_post = on; }

  Generator& generator() { return generator_; }
  Checker& checker() { return checker_; }
  Memory& memory() { return *memory_; }
  /// Creates or clears the dirty log of the guest's memory. Returns 0 or an errno.
  int open_log() { return log_.create(kGuestAddress + memory_->size()); }
  DirtyPages& log() { return log_; }
  const MemoryPlan& plan() const { return plan_; }
  const PortStats& stats() const { return stats_; }
  const DriverRing& ring(uint32_t n) const { return rings_[n]; }
  int kick_fd(uint32_t ring) const { return kick_[ring].get(); }
  int call_fd(uint32_t ring) const { return call_[ring].get(); }
  uint32_t free_receive_buffers() const { return static_cast<uint32_t>(free_[kToGuest].size()); }

 private:
  int open_rings();
  uint32_t chain_pieces(uint32_t ring, uint16_t chain, uint32_t data, std::span<Piece> out) const;
  void reclaim();
  bool arm_call(uint32_t ring, uint32_t beyond) { return options_.calls && rings_[ring].arm_call(beyond); }
  template <typename Write>
  BurstResult send_burst(uint32_t max, Write&& write);
  template <typename Read>
  BurstResult receive_burst(uint32_t max, Read&& read);
  bool gather(const Completion& first, uint32_t& buffers, uint32_t& length);
  void append_spans(const Completion& completion, uint32_t skip, uint32_t& length);
  void publish(uint32_t ring);

  PortOptions options_;
  MemoryPlan plan_{};
  std::shared_ptr<Memory> memory_;
  DirtyPages log_;
  DriverRing rings_[2];
  Fd kick_[2], call_[2];
  uint32_t header_length_ = kMaxHeader;
  bool mergeable_ = false, started_ = false;
  std::vector<uint16_t> free_[2];  // chains that are not in flight
  std::vector<Span> spans_;        // of the current frame
  std::array<uint8_t, kMaxHeader> header_{};
  Generator generator_;
  Checker checker_;
  PortStats stats_;
};

}  // namespace rxvhost::guest
