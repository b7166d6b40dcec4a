#include "core/net/pool.h"

#include <algorithm>
#include <bit>

#include <sys/mman.h>

#include "core/base/copy.h"

namespace rxvhost {

namespace {
constexpr uint32_t kSlotBytes[2] = {kSmallSlot, kLargeSlot};
constexpr uint32_t kSlab[2] = {kSmallSlab, kLargeSlab};
constexpr uint32_t kUnpark = 32;
constexpr size_t kHugePage = size_t{2} << 20;

constexpr size_t page_up(size_t n) { return (n + 4095) & ~size_t{4095}; }
}  // namespace

// One mapping holds all areas: slots, metadata, free lists, cursors, accounts, exchange. No page is touched
// before it is used, so a pool of 64 MiB takes only as much memory as packets have filled.
bool Pool::open(uint64_t bytes) {
  const uint32_t count[2] = {static_cast<uint32_t>(std::max<uint64_t>(bytes / 2 / kSmallSlot, kSmallSlab)),
                             static_cast<uint32_t>(std::max<uint64_t>(bytes / 2 / kLargeSlot, kLargeSlab))};
  bytes_size_ = size_t{count[0]} * kSmallSlot + size_t{count[1]} * kLargeSlot;
  for (int c = 0; c < 2; c++) mask_[c] = std::bit_ceil(count[c]) - 1;
  const size_t sizes[] = {page_up(bytes_size_),
                          page_up((count[0] + count[1]) * sizeof(SlotMeta)),
                          page_up((mask_[0] + 1) * sizeof(uint32_t)),
                          page_up((mask_[1] + 1) * sizeof(uint32_t)),
                          page_up(sizeof(PoolCursors)),
                          page_up(kMaxAccounts * sizeof(Account)),
                          page_up(kExchangeWords * sizeof(uint32_t))};
  for (size_t size : sizes) mapping_size_ += size;
  mapping_size_ += kHugePage;
  void* got = mmap(nullptr, mapping_size_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return false;
  mapping_ = static_cast<uint8_t*>(got);
  // The slots begin at the boundary of a huge page: the first slots are used most, and the kernel backs
  // memory with a huge page only where a whole one fits.
  uint8_t* at = mapping_ + (-reinterpret_cast<uintptr_t>(got) & (kHugePage - 1));
  // Huge pages mean fewer TLB misses; a system without them uses small pages.
  madvise(at, page_up(bytes_size_), MADV_HUGEPAGE);
  auto next = [&, i = 0]() mutable {
    uint8_t* area = at;
    at += sizes[i++];
    return area;
  };
  bytes_ = next();
  meta_ = reinterpret_cast<SlotMeta*>(next());
  free_[0] = reinterpret_cast<uint32_t*>(next());
  free_[1] = reinterpret_cast<uint32_t*>(next());
  cursors_ = reinterpret_cast<PoolCursors*>(next());
  accounts_ = reinterpret_cast<Account*>(next());
  exchange_ = reinterpret_cast<uint32_t*>(next());
  for (int c = 0; c < 2; c++) cursors_->count[c] = count_[c] = count[c];
  return true;
}

Pool::~Pool() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_size_);
}

// Moves the slots that were parked last back into the free list, kUnpark at a time, so that a consumer with
// many packets comes here once for each kUnpark of them. JavaScript can write the list of parked slots: a
// wrong entry may lose slots, but can't lead outside the pool.
bool Pool::unpark(SlotClass c) {
  uint32_t n = 0;
  for (; n < kUnpark && cursors_->parked_count[c] > 0; n++) {
    const uint32_t slot = cursors_->parked[c] - 1;
    if (slot >= slots()) break;
    free_[c][cursors_->free[c].tail++ & mask_[c]] = slot;
    cursors_->parked[c] = meta_[slot].offset;
    cursors_->parked_count[c]--;
  }
  return n > 0;
}

bool Pool::grow(SlotClass c) {
  const uint32_t have = cursors_->grown[c];
  const uint32_t n = std::min(kSlab[c], count_[c] - have);
  for (uint32_t i = 0; i < n; i++) free_[c][cursors_->free[c].tail++ & mask_[c]] = first_slot(c) + have + i;
  cursors_->grown[c] = have + n;
  return n > 0;
}

// Values that JavaScript can write (cursors, account numbers) are masked or checked: a bug in JavaScript may
// lose a slot, but must not cause a write outside the pool.
int32_t Pool::take(uint32_t length, uint32_t account_id) {
  const SlotClass c = length <= kSmallSlot - kHeadroom ? small : large;
  Account& account = accounts_[account_id & (kMaxAccounts - 1)];
  auto& list = cursors_->free[c];
  const uint32_t own = account.out[c] < account.reserve[c] ? account.reserve[c] - account.out[c] : 0;
  const uint32_t left = list.tail - list.head + cursors_->parked_count[c] + (count_[c] - cursors_->grown[c]);
  if (left <= cursors_->reserved[c] - own) return -1;
  if (list.head == list.tail && !unpark(c) && !grow(c)) return -1;
  const uint32_t slot = free_[c][list.head & mask_[c]];
  const uint32_t index = slot - first_slot(c);
  if (index >= count_[c]) return -1;  // also a slot of the other class, whose bytes begin elsewhere
  list.head++;
  if (own > 0) cursors_->reserved[c]--;
  account.out[c]++;
  account.packets++;
  account.bytes += length;
  SlotMeta& meta = meta_[slot];
  const size_t start = size_t{first_slot(c)} * kSmallSlot + size_t{index} * kSlotBytes[c];
  meta.offset = static_cast<uint32_t>(start + kHeadroom);
  meta.length = length;
  meta.references = 1;
  meta.account = account_id;
  return static_cast<int32_t>(slot);
}

SlotTaker::SlotTaker(Pool& pool, uint32_t account)
    : pool_(pool),
      account_(pool.accounts_[account & (kMaxAccounts - 1)]),
      meta_(pool.meta_),
      bytes_of_pool_(pool.bytes_),
      list_(pool.free_[Pool::small]),
      mask_(pool.mask_[Pool::small]),
      small_count_(pool.count_[Pool::small]),
      account_id_(account),
      first_bytes_(account_.bytes) {
  begin();
}

void SlotTaker::begin() {
  const PoolCursors& cursors = *pool_.cursors_;
  const Account& a = account_;
  head_ = charged_head_ = cursors.free[Pool::small].head;
  const uint32_t listed = cursors.free[Pool::small].tail - head_;
  const uint32_t there =
      listed + cursors.parked_count[Pool::small] + (small_count_ - cursors.grown[Pool::small]);
  const uint32_t own = a.out[0] < a.reserve[0] ? a.reserve[0] - a.out[0] : 0;
  const uint32_t others = cursors.reserved[Pool::small] - own;
  end_ = head_ + std::min(listed, there > others ? there - others : 0);
  credit_ = a.packets < a.packet_limit ? a.packet_limit - a.packets : 0;
  bytes_ = charged_bytes_ = a.bytes;
  byte_limit_ = a.byte_limit;
}

void SlotTaker::charge() {
  const uint32_t taken = head_ - charged_head_;
  if (taken == 0) return;
  Account& a = account_;
  const uint32_t own = a.out[0] < a.reserve[0] ? a.reserve[0] - a.out[0] : 0;
  pool_.cursors_->free[Pool::small].head = head_;
  pool_.cursors_->reserved[Pool::small] -= std::min(own, taken);
  a.out[0] += taken;
  a.packets += taken;
  a.bytes += bytes_ - charged_bytes_;
}

// For a large slot, and for a free list that is empty.
int32_t SlotTaker::take_elsewhere(uint32_t length) {
  charge();
  const int32_t slot = pool_.take(length, account_id_);
  begin();
  return slot;
}

void Pool::prefetch_next() const {
  if (!is_open()) return;
  const uint32_t slot = free_[small][cursors_->free[small].head & mask_[small]];
  if (slot >= count_[small]) return;  // JavaScript can write the list
  prefetch_to_write(meta_ + slot);
  const uint8_t* frame = bytes_ + slot * kSmallSlot + kHeadroom;
  for (uint32_t at = 0; at < 2 * kCacheLine; at += kCacheLine) prefetch_to_write(frame + at);
}

void Pool::give_back(uint32_t slot) {
  SlotMeta& meta = meta_[slot];
  const SlotClass c = slot < count_[small] ? small : large;
  Account& account = accounts_[meta.account & (kMaxAccounts - 1)];
  account.packets--;
  account.bytes -= meta.length;
  if (account.out[c]-- <= account.reserve[c]) cursors_->reserved[c]++;
  meta.references = 0;
  free_[c][cursors_->free[c].tail++ & mask_[c]] = slot;
}

}  // namespace rxvhost
