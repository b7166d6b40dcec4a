// The packet pool: private memory that guests' packets are copied into, and what is known of each. One thread
// owns it; JavaScript releases slots into the same free lists through shared arrays, so a release costs no
// native call (src/data/pool/pool.ts is the other half: the layout below is its contract). It knows no rings.
//
// Two classes of slots: 2 KiB with headroom, and 66 KiB for segmentation-offload frames; a packet is always
// contiguous. Each open account (one per queue that dequeues) has a reserve, so that one consumer that keeps
// its packets can't starve the other queues. All reserves together take at most half of a class, unless slots
// of it are still out elsewhere: then what is reserved may for a while be more than what is left.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/limits.h"
#include "core/net/net_header.h"

namespace rxvhost {

struct SlotMeta {
  uint32_t offset;  // of the packet's first byte, in the pool
  uint32_t length;
  uint32_t spare;
  uint32_t references;
  uint32_t account;
  NetHeader header;
};
static_assert(sizeof(SlotMeta) == 32);

struct Account {
  uint32_t packets;
  uint32_t bytes;  // sum of the LENGTHs of the packets under lease
  uint32_t packet_limit;
  uint32_t byte_limit;
  uint32_t out[2];      // slots by class
  uint32_t reserve[2];  // slots by class that only this account may use
  uint32_t
      wanted[2];  // the reserve that it would have if there were few accounts (src/data/pool/reserves.ts)
  uint32_t spare[6];
};
static_assert(sizeof(Account) == 64);

/// Cursors shared with JavaScript: free-running positions in the two free lists, and the reserves.
struct PoolCursors {
  struct {
    uint32_t head;  // next to take
    uint32_t tail;  // next to give back
  } free[2];
  uint32_t grown[2];         // slots that were ever in a free list
  uint32_t count[2];         // slots that there are
  uint32_t reserved[2];      // unused parts of the accounts' reserves
  uint32_t parked[2];        // the slot that was parked last, plus 1; its offset names the next
  uint32_t parked_count[2];  // free slots beyond those that are listed
  uint32_t spare[2];
};
static_assert(sizeof(PoolCursors) == 64);

class Pool {
 public:
  enum SlotClass : uint32_t { small = 0, large = 1 };

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// Reserves address space for `bytes` of slots, half for each class; memory is touched as the free lists
  /// grow.
  bool open(uint64_t bytes);
  bool is_open() const { return bytes_ != nullptr; }

  /// A slot for `length` bytes, charged to the account; -1 if the class is empty but for others' reserves.
  int32_t take(uint32_t length, uint32_t account);
  /// The next small packet will get this slot: its metadata and the beginning of its bytes are asked for.
  void prefetch_next() const;
  /// Gives back a slot that nobody saw.
  void give_back(uint32_t slot);

  uint8_t* data(const SlotMeta& meta) { return bytes_ + meta.offset; }
  uint8_t* data(uint32_t slot) { return data(meta_[slot]); }
  SlotMeta& meta(uint32_t slot) { return meta_[slot]; }
  Account& account(uint32_t id) { return accounts_[id]; }
  /// Where slot ids cross the border: the list of `count` at `at`, or nullptr if it is not inside
  /// kExchangeWords.
  uint32_t* exchange(uint32_t at, uint32_t count) {
    return at <= kExchangeWords && count <= kExchangeWords - at ? exchange_ + at : nullptr;
  }
  uint32_t slots() const { return count_[small] + count_[large]; }

  /// The slot's metadata, which JavaScript can write, if it is inside the pool; or nullptr.
  const SlotMeta* held(uint32_t slot) const {
    if (slot >= slots()) return nullptr;
    const SlotMeta& m = meta_[slot];
    return m.length <= kMaxPacket && uint64_t{m.offset} + m.length <= bytes_size_ ? &m : nullptr;
  }
  bool holds(uint32_t slot) const { return held(slot) != nullptr; }

  // For the addon, which shows them to JavaScript as array buffers.
  struct Area {
    void* data;
    size_t size;
  };
  Area bytes_area() const { return {bytes_, bytes_size_}; }
  Area meta_area() const { return {meta_, slots() * sizeof(SlotMeta)}; }
  Area free_area(SlotClass c) const { return {free_[c], (mask_[c] + 1) * sizeof(uint32_t)}; }
  Area cursors_area() const { return {cursors_, sizeof(PoolCursors)}; }
  Area exchange_area() const { return {exchange_, kExchangeWords * sizeof(uint32_t)}; }
  Area accounts_area() const { return {accounts_, kMaxAccounts * sizeof(Account)}; }

 private:
  friend class SlotTaker;
  bool unpark(SlotClass c);
  bool grow(SlotClass c);
  uint32_t first_slot(SlotClass c) const { return c == small ? 0 : count_[small]; }

  uint8_t* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  uint8_t* bytes_ = nullptr;
  size_t bytes_size_ = 0;
  SlotMeta* meta_ = nullptr;
  uint32_t* free_[2] = {};
  uint32_t mask_[2] = {};
  uint32_t count_[2] = {};  // slots by class; our own, JavaScript can write the cursors
  PoolCursors* cursors_ = nullptr;
  Account* accounts_ = nullptr;
  uint32_t* exchange_ = nullptr;
};

/// Slots for the packets of one burst, charged to one account: Pool::take() with its bookkeeping done once,
/// when this ends. Nothing else may use the pool meanwhile.
class SlotTaker {
 public:
  SlotTaker(Pool& pool, uint32_t account);
  SlotTaker(const SlotTaker&) = delete;
  SlotTaker& operator=(const SlotTaker&) = delete;
  ~SlotTaker() { settle(); }

  /// Packets that the account may still have, as far as it depends on their number.
  uint32_t credit() const { return credit_ - (head_ - settled_head_); }
  /// May it have one more, as far as it depends on their bytes?
  bool within_bytes() const { return bytes_ < byte_limit_; }

  /// As Pool::take(); the header is the caller's to fill.
  int32_t take(uint32_t length) {
    if (length > kSmallSlot - kHeadroom || head_ == end_) return take_elsewhere(length);
    const uint32_t slot = list_[head_ & mask_];
    if (slot >= small_count_) return -1;  // JavaScript can write the list
    head_++;
    bytes_ += length;
    SlotMeta& meta = meta_[slot];
    meta.offset = slot * kSmallSlot + kHeadroom;
    meta.length = length;
    meta.references = 1;
    meta.account = account_id_;
    return static_cast<int32_t>(slot);
  }
  SlotMeta& meta(uint32_t slot) { return meta_[slot]; }
  uint8_t* data(const SlotMeta& meta) { return bytes_of_pool_ + meta.offset; }
  /// Bytes of all that were taken.
  uint32_t bytes() const { return bytes_ - first_bytes_; }

 private:
  void begin();
  void settle();
  int32_t take_elsewhere(uint32_t length);

  Pool& pool_;
  Account& account_;
  SlotMeta* const meta_;
  uint8_t* const bytes_of_pool_;
  const uint32_t* const list_;
  const uint32_t mask_;
  const uint32_t small_count_;
  const uint32_t account_id_;
  const uint32_t first_bytes_;  // of the account, at the beginning
  uint32_t head_;
  uint32_t end_;     // of the small slots that are listed and that this account may have
  uint32_t credit_;  // packets, at the last settle()
  uint32_t bytes_;   // of the account
  uint32_t byte_limit_;
  uint32_t settled_head_, settled_bytes_;
};

}  // namespace rxvhost
