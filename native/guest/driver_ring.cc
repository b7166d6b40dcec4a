// The driver and the device access the same ring at the same time. Each memory fence and each ordered access
// has a comment with the race that it prevents.
#include "guest/driver_ring.h"

#include <atomic>
#include <cstring>

namespace rxvhost::guest {

namespace {

constexpr uint16_t kNone = 0xffff;

uint16_t load(const uint16_t* field) { return __atomic_load_n(field, __ATOMIC_RELAXED); }
void store(uint16_t* field, uint16_t value) { __atomic_store_n(field, value, __ATOMIC_RELAXED); }

}  // namespace

void DriverRing::reset(const Memory& memory, const RingPlace& place, const Setup& setup) {
  setup_ = setup;
  size_ = setup.size;
  descriptors_ = reinterpret_cast<vring_desc*>(memory.at(place.descriptors));
  available_ = reinterpret_cast<vring_avail*>(memory.at(place.available));
  used_ = reinterpret_cast<vring_used*>(memory.at(place.used));
  tables_ = reinterpret_cast<vring_desc*>(memory.at(place.tables));
  tables_address_ = setup.guest_address + place.tables;
  std::memset(descriptors_, 0, sizeof(vring_desc) * size_);
  std::memset(static_cast<void*>(available_), 0, 6 + 2 * size_);
  std::memset(static_cast<void*>(used_), 0, 6 + 8 * size_);
  available_index_ = published_ = last_used_ = seen_used_ = 0;
  in_flight_ = 0;
  broken_ = false;
  chain_of_.assign(size_, kNone);
  for (uint32_t chain = 0; chain < place.chains; chain++)
    chain_of_[descriptor_of(chain, 0)] = static_cast<uint16_t>(chain);
  capacity_.assign(place.chains, 0);
  outstanding_.assign(place.chains, 0);
}

/// Returns the descriptor for piece `n` of a chain. The descriptors of a chain are scattered over the table,
/// so that tests detect a device that ignores `next`. The mapping is a permutation because 5 is odd. Chains
/// of one descriptor are in order.
uint16_t DriverRing::descriptor_of(uint32_t chain, uint32_t n) const {
  if (setup_.indirect || setup_.chain_length == 1) return static_cast<uint16_t>(chain);
  return static_cast<uint16_t>(((chain * setup_.chain_length + n) * 5 + 3) & (size_ - 1u));
}

void DriverRing::write_chain(uint16_t chain, const Piece* pieces, uint32_t count) {
  const uint16_t write = setup_.device_writes ? VRING_DESC_F_WRITE : 0;
  vring_desc* table = setup_.indirect ? tables_ + size_t{chain} * setup_.chain_length : descriptors_;
  for (uint32_t n = 0; n < count; n++) {
    const bool last = n + 1 == count;
    const auto next = static_cast<uint16_t>(setup_.indirect ? n + 1 : last ? 0 : descriptor_of(chain, n + 1));
    table[setup_.indirect ? n : descriptor_of(chain, n)] = {
        setup_.guest_address + pieces[n].offset, pieces[n].length,
        static_cast<uint16_t>(write | (last ? 0 : VRING_DESC_F_NEXT)),
        static_cast<uint16_t>(last ? 0 : next)};
  }
  if (setup_.indirect) {
    const uint64_t address = tables_address_ + uint64_t{chain} * setup_.chain_length * sizeof(vring_desc);
    descriptors_[chain] = {address, static_cast<uint32_t>(count * sizeof(vring_desc)), VRING_DESC_F_INDIRECT,
                           0};
  }
}

void DriverRing::add(uint16_t chain, const Piece* pieces, uint32_t count) {
  write_chain(chain, pieces, count);
  uint32_t capacity = 0;
  if (setup_.device_writes)
    for (uint32_t n = 0; n < count; n++) capacity += pieces[n].length;
  capacity_[chain] = capacity;
  outstanding_[chain] = 1;
  in_flight_++;
  store(&available_->ring[available_index_ & (size_ - 1u)], descriptor_of(chain, 0));
  available_index_++;
}

bool DriverRing::publish() {
  if (available_index_ == published_) return false;
  const uint16_t old = published_;
  published_ = available_index_;
  // Release, so that the device does not see the index before the entries, descriptors and bytes (§2.7.13.3).
  __atomic_store_n(&available_->idx, published_, __ATOMIC_RELEASE);
  // A full fence: our index must be visible before we read whether the device wants a kick. The device first
  // requests a kick and then reads our index. Without the fences, each side could miss the other's store, and
  // the kick would be lost (§2.7.13.4).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (setup_.event_index) return vring_need_event(load(available_event()), published_, old);
  return (load(&used_->flags) & VRING_USED_F_NO_NOTIFY) == 0;
}

uint32_t DriverRing::completed() {
  if (broken_) return 0;
  // Acquire, so that the entries and the bytes are read after the index that announced them (§2.7.14).
  seen_used_ = __atomic_load_n(&used_->idx, __ATOMIC_ACQUIRE);
  const auto count = static_cast<uint16_t>(seen_used_ - last_used_);
  if (count <= in_flight_) return count;
  broken_ = true;  // the device completed more chains than are in flight
  return 0;
}

bool DriverRing::peek(Completion& out) {
  const vring_used_elem* element = &used_->ring[last_used_ & (size_ - 1u)];
  const uint32_t id = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
  const uint32_t length = __atomic_load_n(&element->len, __ATOMIC_RELAXED);
  const uint16_t chain = id < size_ ? chain_of_[id] : kNone;
  // The length is checked only for buffers that the device writes. For other buffers the length may have any
  // value, because legacy devices do not set it (§2.7.8.2).
  if (chain == kNone || !outstanding_[chain] || (setup_.device_writes && length > capacity_[chain])) {
    broken_ = true;
    return false;
  }
  out = {chain, length};
  return true;
}

bool DriverRing::take(Completion& out) {
  if (!peek(out)) return false;
  outstanding_[out.chain] = 0;
  in_flight_--;
  last_used_++;
  return true;
}

bool DriverRing::arm_call(uint32_t beyond) {
  if (broken_) return false;
  if (setup_.event_index)
    store(used_event(), static_cast<uint16_t>(last_used_ + beyond));
  else
    store(&available_->flags, 0);
  // A full fence: our request must be visible before we read the used index again. The device first publishes
  // and then reads our request. Without the fences, a completion between the two could be neither seen here
  // nor announced by a call (§2.7.10).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return completed() > beyond;
}

void DriverRing::suppress_call() {
  // With the event index there is nothing to write: after its call, a request has no effect until it is
  // renewed.
  if (!setup_.event_index) store(&available_->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

}  // namespace rxvhost::guest
