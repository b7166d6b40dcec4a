#include "core/virtqueue/split_ring.h"

#include <algorithm>

namespace rxvhost {

namespace {
inline void full_fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
}  // namespace

// The ring continues at the used index in shared memory, not at the base from the front end. After a crash of
// the back end, or with an old front end, that base can be older than entries that the driver has already
// seen used. Completions are in order, so both sides can continue at the used index.
void SplitRing::start(const RingPlace& place, uint32_t size, uint32_t, bool event_index) {
  parts_ = Parts(place);
  size_ = size;
  mask_ = size - 1;
  used_ = guest_load(&parts_.used->idx);
  published_ = called_ = seen_avail_ = used_;
  taken_ = held_from_ = kFirst + used_;
  event_index_ = event_index;
  call_once_ = true;
  stamp_.assign(size, 0);
}

Heads SplitRing::peek(uint32_t want, Head* heads) {
  uint32_t ready = static_cast<uint16_t>(seen_avail_ - taken_);
  // One call does not return entries from before a publish() together with entries from after it, because
  // only the later entries may repeat heads.
  if (ready < want && (ready == 0 || held_from_ == first_held())) {
    // Acquire: pairs with the driver's barrier between writing a ring entry and advancing idx (§2.7.13.3);
    // without it we could see the new index and an old entry.
    const uint16_t now = guest_load_acquire(&parts_.avail->idx);
    held_from_ = first_held();
    if (taken_ >= kRenumber) renumber();
    const uint32_t known = static_cast<uint16_t>(seen_avail_ - used_);
    if (static_cast<uint16_t>(now - seen_avail_) <= size_ - known) {
      ready += static_cast<uint16_t>(now - seen_avail_);
      seen_avail_ = now;
    } else if (ready == 0) {
      // A guest that reboots zeroes its ring while we still run on it; its driver sets the ring up anew in a
      // moment.
      const bool rebooting = now == 0 && guest_load(&parts_.used->idx) == 0;
      return {0, rebooting ? Reason::none : Reason::avail_jump};
    }
  }
  const uint32_t count = std::min(ready, want);
  const uint32_t at = taken_ & mask_;
  const uint32_t first = std::min(count, size_ - at);
  guest_copy_once(heads, &parts_.avail->ring[at], first * sizeof *heads);
  if (first < count) guest_copy_once(heads + first, parts_.avail->ring, (count - first) * sizeof *heads);
  for (uint32_t i = 0; i < count; i++) {
    if (heads[i].at() >= size_) return {i, Reason::head_range};
    prefetch(parts_.desc + heads[i].at());
  }
  return {count, Reason::none};
}

// The guess is good because drivers write the same entries and descriptors again, in the same order.
ChainGuess SplitRing::guess() const {
  const uint16_t* entry = &parts_.avail->ring[taken_ & mask_];
  const uint16_t head = guest_load(entry);
  if (head >= size_) return {entry, nullptr, {}};
  const vring_desc* descriptor = parts_.desc + head;
  return {entry, descriptor, DescriptorTable::load(descriptor)};
}

void SplitRing::prefetch_used(uint32_t count) const {
  constexpr uint32_t kPerLine = kCacheLine / sizeof(vring_used_elem);
  for (uint32_t i = 0; i < count; i += kPerLine) prefetch_to_write(&parts_.used->ring[(used_ + i) & mask_]);
}

// Lowers all numbers to where they began. Their order and their lower halves stay the same.
void SplitRing::renumber() {
  const uint32_t by = (held_from_ - kFirst) & ~uint32_t{0xffff};
  for (uint32_t& number : stamp_) number = number < held_from_ ? 0 : number - by;
  taken_ -= by;
  held_from_ -= by;
}

bool SplitRing::should_call() {
  // Full fence between our used index and the driver's suppression: without it both sides could read the
  // other's old value, the driver could go to sleep and we would not call (§2.7.7.2).
  full_fence();
  const uint16_t before = called_;
  called_ = published_;
  if (call_once_) {
    // Always call once after a start: an earlier interrupt may have been lost.
    call_once_ = false;
    return true;
  }
  if (!event_index_) return !(guest_load(&parts_.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
  const uint16_t event = guest_load(&parts_.avail->ring[size_]);
  return static_cast<uint16_t>(published_ - event - 1) < static_cast<uint16_t>(published_ - before);
}

// Marks the staged entries, which are written and not yet published. They are one run, or two if they wrap.
void SplitRing::mark_entries() const {
  const uint32_t first = published_ & mask_, count = static_cast<uint16_t>(used_ - published_);
  const uint32_t run = first + count <= size_ ? count : size_ - first;
  log_->mark(log_address_ + kHeader + 8ull * first, 8ull * run);
  log_->mark(log_address_ + kHeader, 8ull * (count - run));
}

// Publishes during a migration: marks the entries before it publishes them, and the index after it is
// written.
void SplitRing::publish_logged() {
  mark_entries();
  const DirtyLog* const log = log_;
  log_ = nullptr;  // publish() then does no logging
  publish();
  log_ = log;
  mark_header();
}

bool SplitRing::arm_kick() {
  if (event_index_) {
    guest_store(reinterpret_cast<uint16_t*>(&parts_.used->ring[size_]), seen_avail_);
    if (log_ != nullptr) log_->mark(log_address_ + kHeader + 8ull * size_, 2);
  } else {
    guest_store(&parts_.used->flags, uint16_t{0});
    if (log_ != nullptr) mark_header();
  }
  // Full fence between our request for a kick and the second read of the index. A driver that published just
  // before it read our request does not kick, so we must see its index now (§2.7.10.1).
  full_fence();
  const uint16_t now = guest_load(&parts_.avail->idx);
  return now != seen_avail_ && !(now == 0 && guest_load(&parts_.used->idx) == 0);
}

// With the event index there is nothing to write: the driver kicks only when its index passes the old event,
// and the next arm_kick() moves the event. This costs one needless kick in 65,536 buffers.
void SplitRing::suppress_kick() {
  if (event_index_) return;
  guest_store(&parts_.used->flags, static_cast<uint16_t>(VRING_USED_F_NO_NOTIFY));
  if (log_ != nullptr) mark_header();
}

bool SplitRing::reads_as_zero() const {
  return wiped() && guest_load(&parts_.desc[0].addr) == 0 && guest_load(&parts_.desc[0].len) == 0;
}

}  // namespace rxvhost
