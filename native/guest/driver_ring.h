// The driver side of a split virtqueue (virtio 1.2 §2.7). It handles descriptors and indices, but it does not
// depend on frames, headers or messages. Only one thread may use it. The other side is a back end in any
// process, and it is not trusted: every used ring entry must belong to a chain in flight. After an invalid
// entry, the ring is broken until it is reset.
//
// Every chain has a fixed number and fixed descriptors (see `descriptor_of`). A completion contains the
// chain's number.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/virtio.h"
#include "guest/memory.h"

namespace rxvhost::guest {

/// A piece of guest memory that one descriptor names.
struct Piece {
  uint64_t offset;
  uint32_t length;
};

struct Completion {
  uint16_t chain;
  uint32_t length;  // bytes that the device says it wrote
};

class DriverRing {
 public:
  struct Setup {
    uint16_t size;
    bool event_index;
    bool indirect;       // chains are in indirect tables
    bool device_writes;  // true: the device writes the buffers (to guest); false: it reads them (from guest)
    uint32_t chain_length;   // maximum number of descriptors per chain
    uint64_t guest_address;  // guest-physical address of offset 0
  };

  /// Resets the ring: all indices are 0, and no chain is in flight.
  void reset(const Memory& memory, const RingPlace& place, const Setup& setup);

  /// Puts a chain into the available ring. The device sees the chain after publish(). The chain must not be
  /// in flight.
  void add(uint16_t chain, const Piece* pieces, uint32_t count);
  /// Makes added chains visible to the device. Returns true if the device wants a kick for them.
  bool publish();

  /// Returns the number of completions that were not consumed yet, or 0 if the ring is broken.
  uint32_t completed();
  /// Reads the next completion without consuming it. Call it only while completed() > 0. If the completion is
  /// invalid, marks the ring as broken and returns false.
  bool peek(Completion& out);
  /// Like peek(), but consumes the completion, so that its chain may be added again.
  bool take(Completion& out);

  /// Requests a call when more than `beyond` further chains are completed. `beyond` must be less than
  /// in_flight(). Returns true if so many are already completed. Without the event index, the call comes at
  /// the next completion.
  bool arm_call(uint32_t beyond);
  void suppress_call();

  uint32_t in_flight() const { return in_flight_; }
  bool broken() const { return broken_; }
  uint16_t available_index() const { return available_index_; }
  uint16_t used_index() const { return last_used_; }

 private:
  uint16_t descriptor_of(uint32_t chain, uint32_t n) const;
  void write_chain(uint16_t chain, const Piece* pieces, uint32_t count);
  uint16_t* used_event() const { return &available_->ring[size_]; }
  uint16_t* available_event() const { return reinterpret_cast<uint16_t*>(&used_->ring[size_]); }

  vring_desc* descriptors_ = nullptr;
  vring_avail* available_ = nullptr;
  vring_used* used_ = nullptr;
  vring_desc* tables_ = nullptr;
  uint64_t tables_address_ = 0;
  Setup setup_{};
  uint16_t size_ = 0;
  uint16_t available_index_ = 0;  // next entry of the available ring
  uint16_t published_ = 0;        // last published available index
  uint16_t last_used_ = 0;        // number of consumed completions
  uint16_t seen_used_ = 0;        // last used index that was read
  uint32_t in_flight_ = 0;
  bool broken_ = false;
  std::vector<uint16_t> chain_of_;    // by descriptor: the chain that begins with it, or kNone
  std::vector<uint32_t> capacity_;    // by chain: bytes that the device may write
  std::vector<uint8_t> outstanding_;  // by chain: whether it is in flight
};

}  // namespace rxvhost::guest
