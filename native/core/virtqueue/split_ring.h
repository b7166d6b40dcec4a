// A split virtqueue, device side (virtio 1.2 §2.7). Only ring mechanics: indices, suppression, fences. It
// knows no packets, no chains and no guest addresses: its three parts arrive as checked pointers.
//
// The driver is hostile. Its indices are read once and checked against what the ring can hold; ours (used
// index, used flags, avail_event) are written and never read back.
//
// One head can't stand for two packets at once. A driver may offer a head again when it has seen it used, so
// it shows the second offer in an index that it wrote after our publish(), and that we read after it too.
// Hence the rule, which is exact for what we can know: an entry repeats a head if, when the index that showed
// the entry was read, that head was taken and not published yet. It holds over the whole of a burst, whatever
// was published in its course, and from one burst to the next; and it accuses no driver that waits for its
// buffers, however quickly it offers them again. Heads are completed in the order in which they are taken, so
// "not published" is a range of their numbers: each head bears the number under which it was taken last, and
// peek() notes where the range began.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/guest_load.h"
#include "core/memory/dirty_log.h"
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
  void start(const Parts& parts, uint32_t size, bool event_index);
  /// The same ring at a new place: its memory was mapped anew.
  void move(const Parts& parts) { parts_ = parts; }
  /// From here on what we write into the used ring is marked as if it began at guest-physical `address`
  /// (VHOST_VRING_F_LOG). The log covers used_bytes() there, and outlives this; nullptr = nothing is marked.
  void log_used(const DirtyLog* log, uint64_t address) {
    log_ = log;
    log_address_ = address;
  }

  Heads peek(uint32_t want, uint16_t* ids);

  Reason take(uint16_t id) {
    if (stamp_[id] >= held_from_) return Reason::head_dup;
    stamp_[id] = taken_++;
    return Reason::none;
  }

  void undo(uint16_t id) {
    taken_--;
    stamp_[id] = 0;
  }

  void complete(uint16_t id, uint32_t length) {
    vring_used_elem* element = &parts_.used->ring[used_ & mask_];
    guest_store(&element->id, static_cast<uint32_t>(id));
    guest_store(&element->len, length);
    used_++;
  }

  void publish() {
    if (published_ == used_) return;
    if (__builtin_expect(log_ != nullptr, 0)) return publish_logged();
    // Release: the used entries and the packet bytes must be visible before the index that hands them over
    // (§2.7.8.2).
    guest_store_release(&parts_.used->idx, used_);
    published_ = used_;
  }
  /// Used entries that wait for publish().
  uint32_t staged() const { return static_cast<uint16_t>(used_ - published_); }
  /// The next `count` used entries will be written.
  void prefetch_used(uint32_t count) const;

  /// Something was published since the last should_call(): an empty poll asks nothing.
  bool call_due() const { return called_ != published_ || call_once_; }
  bool should_call();
  bool arm_kick();
  void suppress_kick();

  /// Both indices read as 0: a guest that reboots has wiped the ring, and what we saw of it is void. (With
  /// both at 0 after 65,536 entries there is nothing available either.)
  bool wiped() const { return guest_load(&parts_.avail->idx) == 0 && guest_load(&parts_.used->idx) == 0; }
  uint16_t base() const { return static_cast<uint16_t>(taken_); }
  uint32_t size() const { return size_; }
  const vring_desc* table() const { return parts_.desc; }
  /// Where the next head is, or will be, in the available ring.
  const uint16_t* next_entry() const { return &parts_.avail->ring[taken_ & mask_]; }
  /// More was available when the driver's index was last read.
  bool more() const { return base() != seen_avail_; }
  /// Nothing new since peek() looked last: what an empty poll is spared with.
  bool idle() const { return base() == seen_avail_ && guest_load(&parts_.avail->idx) == seen_avail_; }
  /// Nothing was ever written here: what a front end's private memory looks like from our side.
  bool reads_as_zero() const;

 private:
  /// The number of the first head that is taken and not published.
  uint32_t first_held() const { return taken_ - static_cast<uint16_t>(taken_ - published_); }
  void renumber();
  __attribute__((noinline, cold)) void publish_logged();
  void mark_entries() const;
  void mark_header() const { log_->mark(log_address_, kUsedHeader); }

  static constexpr uint64_t kUsedHeader = 4;  // flags and idx
  static constexpr uint32_t kFirst = 0x10000;
  static constexpr uint32_t kRenumber = 1 << 24;  // long before they wrap, and soon enough for a test

  Parts parts_{};
  uint32_t size_ = 0;
  uint32_t mask_ = 0;
  uint16_t seen_avail_ = 0;  // the driver's index when we last read it
  uint16_t used_ = 0;        // next used entry that we stage
  uint16_t published_ = 0;   // used index that the driver can see
  uint16_t called_ = 0;      // used index at the last should_call()
  bool event_index_ = false;
  bool call_once_ = false;
  const DirtyLog* log_ = nullptr;
  uint64_t log_address_ = 0;
  // Heads taken, counted from kFirst; its lower half is the next entry of the available ring.
  uint32_t taken_ = kFirst;
  uint32_t held_from_ = kFirst;  // first_held() when the driver's index was last read
  std::vector<uint32_t> stamp_;  // by head: its number when it was taken last, 0 = never
};

static_assert(Ring<SplitRing>);

}  // namespace rxvhost
