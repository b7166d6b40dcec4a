// A split virtqueue, device side (virtio 1.2 §2.7). Only ring mechanics: indices, suppression, fences. It
// knows no packets, no chains and no guest addresses: its three parts arrive as checked pointers.
//
// The driver is hostile. Its indices are read once and checked against what the ring can hold; ours (used
// index, used flags, avail_event) are written and never read back. Heads taken and not yet published are
// remembered in a bitmap, so that one head can't stand for two packets at once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/guest_load.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

class SplitRing {
 public:
  struct Parts {
    vring_desc* desc;
    vring_avail* avail;
    vring_used* used;
  };
  static uint64_t desc_bytes(uint32_t size) { return uint64_t{16} * size; }
  static uint64_t avail_bytes(uint32_t size) { return 6 + uint64_t{2} * size; }  // with used_event
  static uint64_t used_bytes(uint32_t size) { return 6 + uint64_t{8} * size; }   // with avail_event

  SplitRing() = default;
  void start(const Parts& parts, uint32_t size, uint16_t base, bool event_index);
  /// The same ring at a new place: its memory was mapped anew.
  void move(const Parts& parts) { parts_ = parts; }

  Peek peek() {
    if (last_avail_ == seen_avail_) {
      // Acquire: pairs with the driver's barrier between writing a ring entry and advancing idx (§2.7.13.3);
      // without it we could see the new index and an old entry.
      const uint16_t now = guest_load_acquire(&parts_.avail->idx);
      if (now == last_avail_) return {Peek::empty, Reason::none, 0};
      if (static_cast<uint16_t>(now - used_) > size_) return jump(now);
      seen_avail_ = now;
    }
    const uint16_t id = guest_load(&parts_.avail->ring[last_avail_ & mask_]);
    if (id >= size_) return {Peek::fault, Reason::head_range, 0};
    return {Peek::head, Reason::none, id};
  }

  Reason take(uint16_t id) {
    uint64_t& word = taken_[id >> 6];
    const uint64_t bit = uint64_t{1} << (id & 63);
    if (word & bit) return Reason::head_dup;
    word |= bit;
    order_[last_avail_ & mask_] = id;
    last_avail_++;
    return Reason::none;
  }

  void undo(uint32_t n) {
    while (n-- > 0) {
      last_avail_--;
      forget(order_[last_avail_ & mask_]);
    }
  }

  void complete(uint16_t id, uint32_t length) {
    vring_used_elem* element = &parts_.used->ring[used_ & mask_];
    guest_store(&element->id, static_cast<uint32_t>(id));
    guest_store(&element->len, length);
    staged_[used_ & mask_] = id;
    used_++;
  }

  void publish() {
    if (published_ == used_) return;
    for (uint16_t i = published_; i != used_; i++) forget(staged_[i & mask_]);
    // Release: the used entries and the packet bytes must be visible before the index that hands them over
    // (§2.7.8.2).
    guest_store_release(&parts_.used->idx, used_);
    published_ = used_;
  }

  /// Something was published since the last should_call(): an empty poll asks nothing.
  bool call_due() const { return called_ != published_ || call_once_; }
  bool should_call();
  bool arm_kick();
  void suppress_kick();

  /// Both indices read as 0: a guest that reboots has wiped the ring, and what we saw of it is void. (With
  /// both at 0 after 65,536 entries there is nothing available either.)
  bool wiped() const { return guest_load(&parts_.avail->idx) == 0 && guest_load(&parts_.used->idx) == 0; }
  uint16_t base() const { return last_avail_; }
  uint16_t last_taken() const { return order_[(last_avail_ - 1) & mask_]; }
  uint32_t size() const { return size_; }
  const vring_desc* table() const { return parts_.desc; }
  /// More was available when the driver's index was last read.
  bool more() const { return last_avail_ != seen_avail_; }
  /// Nothing was ever written here: what a front end's private memory looks like from our side.
  bool reads_as_zero() const;

 private:
  void forget(uint16_t id) { taken_[id >> 6] &= ~(uint64_t{1} << (id & 63)); }
  Peek jump(uint16_t now) const;

  Parts parts_{};
  uint32_t size_ = 0;
  uint32_t mask_ = 0;
  uint16_t last_avail_ = 0;  // next entry of the available ring that we take
  uint16_t seen_avail_ = 0;  // the driver's index when we last read it
  uint16_t used_ = 0;        // next used entry that we stage
  uint16_t published_ = 0;   // used index that the driver can see
  uint16_t called_ = 0;      // used index at the last should_call()
  bool event_index_ = false;
  bool call_once_ = false;
  std::vector<uint64_t> taken_;
  std::vector<uint16_t> order_;  // heads by available position, for undo
  std::vector<uint16_t>
      staged_;  // heads by used position: our private copy, the guest can rewrite the ring's
};

static_assert(Ring<SplitRing>);

}  // namespace rxvhost
