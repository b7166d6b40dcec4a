// The driver side of a split virtqueue (virtio 1.2 §2.7): what a guest's driver does. Knows descriptors and
// indices; nothing of frames, headers or messages. Single-threaded; the other side is a back end in any
// process, which is not trusted: what it writes into the used ring is checked against what is in flight, and
// a ring that breaks the rules is broken until it is reset.
//
// Every chain has a fixed number and fixed descriptors (see `descriptor_of`); a completion gives back its
// number.
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
    bool indirect;           // chains go into indirect tables
    bool device_writes;      // the device writes these buffers (to guest), or reads them (from guest)
    uint32_t chain_length;   // descriptors of a chain at most
    uint64_t guest_address;  // guest-physical address of offset 0
  };

  /// Empties the ring: all indices 0, nothing in flight.
  void reset(const Memory& memory, const RingPlace& place, const Setup& setup);

  /// Puts a chain into the available ring; the device sees it at `publish`. The chain must not be in flight.
  void add(uint16_t chain, const Piece* pieces, uint32_t count);
  /// Makes what was added visible; true if the device wants a kick for it.
  bool publish();

  /// Completions that were not consumed yet. 0 on a broken ring.
  uint32_t completed();
  /// The next completion, which stays; only while completed() > 0. False if it breaks the ring.
  bool peek(Completion& out);
  /// The next completion, which is consumed: its chain may be added again. Else as `peek`.
  bool take(Completion& out);

  /// Asks for a call once more than `beyond` (less than in_flight()) further chains are completed; true if
  /// they already are. Without the event index the call comes at the next completion.
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
  uint16_t available_index_ = 0;  // next slot of the available ring
  uint16_t published_ = 0;        // available index that the device was last shown
  uint16_t last_used_ = 0;        // completions consumed
  uint16_t seen_used_ = 0;        // used index last read
  uint32_t in_flight_ = 0;
  bool broken_ = false;
  std::vector<uint16_t> chain_of_;    // by head descriptor; kNone for one that no chain begins with
  std::vector<uint32_t> capacity_;    // by chain: bytes that the device may write
  std::vector<uint8_t> outstanding_;  // by chain: in flight
};

}  // namespace rxvhost::guest
