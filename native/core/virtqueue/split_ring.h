// The device side of a split virtqueue (virtio 1.2 §2.7): the indices, the suppression of notifications, the
// fences, and the order of the descriptors in a chain. Callers have checked the pointers to its three areas.
//
// The driver is hostile. Its indices are read once and checked against the size of the ring. Our own fields
// (used index, used flags, avail_event) are written and never read back.
//
// Repeated heads. One head must not stand for two packets at once. A driver may offer a head again only after
// it saw the head used. Therefore the index that shows the second offer is written, and read by us, after our
// publish(). This gives the rule: an entry repeats a head if that head was taken, and not yet published, when
// we read the index that showed the entry. The rule holds within a burst and across bursts. It never accuses
// a driver that waits for its buffers, even if that driver offers them again at once. Heads are completed in
// the order in which they were taken, so the heads that are not yet published are a range of numbers: each
// head stores the number under which it was last taken, and peek() notes where the range begins.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "core/base/guest_load.h"
#include "core/base/limits.h"
#include "core/base/virtio.h"
#include "core/memory/dirty_log.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

class SplitRing {
 public:
  /// The index of the chain's first descriptor. It is laid out as an entry of the available ring, so that
  /// peek() copies entries straight into heads.
  struct Head {
    uint16_t head;
    uint16_t at() const { return head; }
    uint16_t id() const { return head; }
    uint32_t slots() const { return 1; }
  };
  static_assert(sizeof(Head) == sizeof(uint16_t));

  /// Follows `next`. It counts the steps in each table, so that a loop ends.
  class Cursor {
   public:
    Cursor(const SplitRing& ring, Head) : table_(ring.parts_.desc, ring.size_) {}
    void enter(const DescriptorTable& table) { table_ = table; }
    Step first(Descriptor* d) {
      steps_ = 0;
      return load(0, d);
    }
    Step next(Descriptor* d) { return d->flags & VRING_DESC_F_NEXT ? load(d->next, d) : Step::end; }

   private:
    Step load(uint32_t index, Descriptor* d) {
      if (steps_++ >= table_.entries()) return Step::loop;
      if (index >= table_.entries()) return Step::range;
      return table_.load(index, d) ? Step::loaded : Step::unreadable;
    }

    DescriptorTable table_;
    uint32_t steps_ = 1;  // the chain's first descriptor is loaded
  };

  /// The sizes include the event fields, also if the event index was not negotiated (§2.7).
  static RingLayout layout(uint32_t size) {
    return {{sizeof(vring_desc) * uint64_t{size}, 16},
            {kHeader + sizeof(uint16_t) * uint64_t{size} + kEvent, 2},
            {kHeader + sizeof(vring_used_elem) * uint64_t{size} + kEvent, 4}};
  }
  /// A power of 2 (§2.7).
  static bool valid_size(uint32_t size) { return size <= kMaxRingSize && std::has_single_bit(size); }
  /// The used ring.
  static uint64_t logged_bytes(uint32_t size) { return layout(size).device.bytes; }

  SplitRing() = default;
  /// Continues at the used index in shared memory. `base` is ignored.
  void start(const RingPlace& place, uint32_t size, uint32_t base, bool event_index);
  void move(const RingPlace& place) { parts_ = Parts(place); }
  void log_used(const DirtyLog* log, uint64_t address) {
    log_ = log;
    log_address_ = address;
  }

  Heads peek(uint32_t want, Head* heads);
  Descriptor first(Head head) const { return DescriptorTable::load(parts_.desc + head.at()); }
  Cursor cursor(Head head) const { return Cursor(*this, head); }

  Reason take(Head head) {
    if (stamp_[head.at()] >= held_from_) return Reason::head_dup;
    stamp_[head.at()] = taken_++;
    return Reason::none;
  }

  void undo(Head head) {
    taken_--;
    stamp_[head.at()] = 0;
  }

  void complete(Head head, uint32_t length) {
    vring_used_elem* element = &parts_.used->ring[used_ & mask_];
    guest_store(&element->id, static_cast<uint32_t>(head.id()));
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
  uint32_t staged() const { return static_cast<uint16_t>(used_ - published_); }
  ChainGuess guess() const;
  void prefetch_used(uint32_t count) const;

  bool call_due() const { return called_ != published_ || call_once_; }
  bool should_call();
  bool arm_kick();
  void suppress_kick();

  /// Returns true if both indices are 0. A guest that reboots has then cleared the ring, and all earlier
  /// reads of it are void. (If both are 0 after 65,536 entries, nothing is available either.)
  bool wiped() const { return guest_load(&parts_.avail->idx) == 0 && guest_load(&parts_.used->idx) == 0; }
  uint32_t base() const { return next(); }
  uint32_t size() const { return size_; }
  bool more() const { return next() != seen_avail_; }
  bool idle() const { return next() == seen_avail_ && guest_load(&parts_.avail->idx) == seen_avail_; }
  bool reads_as_zero() const;

 private:
  struct Parts {
    Parts() = default;
    explicit Parts(const RingPlace& place)
        : desc(reinterpret_cast<vring_desc*>(place.descriptor)),
          avail(reinterpret_cast<vring_avail*>(place.driver)),
          used(reinterpret_cast<vring_used*>(place.device)) {}
    vring_desc* desc = nullptr;
    vring_avail* avail = nullptr;
    vring_used* used = nullptr;
  };

  /// The index of the next entry that is taken from the available ring.
  uint16_t next() const { return static_cast<uint16_t>(taken_); }
  /// The number of the first head that is taken and not published.
  uint32_t first_held() const { return taken_ - static_cast<uint16_t>(taken_ - published_); }
  void renumber();
  __attribute__((noinline, cold)) void publish_logged();
  void mark_entries() const;
  void mark_header() const { log_->mark(log_address_, kHeader); }

  static constexpr uint64_t kHeader = 4;  // flags and idx, of either ring
  static constexpr uint64_t kEvent = 2;   // used_event, avail_event
  static constexpr uint32_t kFirst = 0x10000;
  static constexpr uint32_t kRenumber = 1 << 24;  // long before they wrap, and soon enough for a test

  Parts parts_;
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
