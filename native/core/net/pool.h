// The packet pool: private memory that guests' packets are copied into, with the metadata of each packet. One
// thread owns it. JavaScript releases slots into the same free lists through shared arrays, so that a release
// needs no native call; src/data/pool/pool.ts relies on the layouts below.
//
// Slots have two classes: 2 KiB with headroom, and 66 KiB for segmentation-offload frames; a packet is always
// contiguous. Each open account (one per queue that dequeues) has a reserve, so that a consumer that holds
// its packets can't starve the other queues. All reserves together take at most half of a class. For a while
// they can exceed the free slots of the class, if other accounts already hold those slots.
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
  uint32_t bytes;  // sum of the lengths of the packets under lease
  uint32_t packet_limit;
  uint32_t byte_limit;
  uint32_t out[2];      // slots by class
  uint32_t reserve[2];  // slots by class that only this account may use
  uint32_t wanted[2];   // the reserve if there were few accounts (src/data/pool/reserves.ts)
  uint32_t spare[6];
};
static_assert(sizeof(Account) == 64);

/// Cursors shared with JavaScript: free-running positions in the two free lists, reserves and parked slots.
struct PoolCursors {
  struct {
    uint32_t head;  // next to take
    uint32_t tail;  // next to give back
  } free[2];
  uint32_t grown[2];         // slots that have ever been in a free list
  uint32_t count[2];         // all slots of the class
  uint32_t reserved[2];      // unused parts of the accounts' reserves
  uint32_t parked[2];        // the slot that was parked last, plus 1; its offset names the next
  uint32_t parked_count[2];  // free slots that are parked, not in the free list
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

  /// Takes a slot for `length` bytes and charges it to the account. -1 if the class has no free slot beyond
  /// the reserves of other accounts.
  int32_t take(uint32_t length, uint32_t account);
  /// Prefetches the metadata and the first bytes of the slot that the next small packet will get.
  void prefetch_next() const;
  /// Frees a slot that has not been handed to JavaScript.
  void give_back(uint32_t slot);

  uint8_t* data(const SlotMeta& meta) { return bytes_ + meta.offset; }
  uint8_t* data(uint32_t slot) { return data(meta_[slot]); }
  SlotMeta& meta(uint32_t slot) { return meta_[slot]; }
  Account& account(uint32_t id) { return accounts_[id]; }
  /// The list of `count` slot ids at word `at` of the memory in which ids pass to and from JavaScript;
  /// nullptr if it is not inside kExchangeWords.
  uint32_t* exchange(uint32_t at, uint32_t count) {
    return at <= kExchangeWords && count <= kExchangeWords - at ? exchange_ + at : nullptr;
  }
  uint32_t slots() const { return count_[small] + count_[large]; }

  /// The slot's metadata, or nullptr if the slot or its packet is outside the pool: JavaScript can write
  /// both.
  const SlotMeta* held(uint32_t slot) const {
    if (slot >= slots()) return nullptr;
    const SlotMeta& m = meta_[slot];
    return m.length <= kMaxPacket && uint64_t{m.offset} + m.length <= bytes_size_ ? &m : nullptr;
  }
  bool holds(uint32_t slot) const { return held(slot) != nullptr; }

  // The addon shows these areas to JavaScript as array buffers.
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
  uint32_t count_[2] = {};  // slots by class; private, since JavaScript can write the cursors
  PoolCursors* cursors_ = nullptr;
  Account* accounts_ = nullptr;
  uint32_t* exchange_ = nullptr;
};

/// Takes slots for the packets of one burst and one account, as Pool::take() does, but does the bookkeeping
/// once, in the destructor. Nothing else may use the pool meanwhile.
class SlotTaker {
 public:
  SlotTaker(Pool& pool, uint32_t account);
  SlotTaker(const SlotTaker&) = delete;
  SlotTaker& operator=(const SlotTaker&) = delete;
  ~SlotTaker() { charge(); }

  /// How many more packets the account's packet limit allows.
  uint32_t credit() const { return credit_ - (head_ - charged_head_); }
  /// True if the account's byte limit allows one more packet.
  bool within_bytes() const { return bytes_ < byte_limit_; }

  /// As Pool::take(). The caller fills in the header.
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
  /// Bytes of all packets that were taken.
  uint32_t bytes() const { return bytes_ - first_bytes_; }

 private:
  /// Reads what the account may take from the pool.
  void begin();
  /// Adds what was taken since begin() to the account and the cursors.
  void charge();
  int32_t take_elsewhere(uint32_t length);

  Pool& pool_;
  Account& account_;
  SlotMeta* const meta_;
  uint8_t* const bytes_of_pool_;
  const uint32_t* const list_;
  const uint32_t mask_;
  const uint32_t small_count_;
  const uint32_t account_id_;
  const uint32_t first_bytes_;  // bytes of the account at the start
  uint32_t head_;
  uint32_t end_;     // end of the listed small slots that this account may have
  uint32_t credit_;  // packets, at the last charge()
  uint32_t bytes_;   // bytes of the account
  uint32_t byte_limit_;
  uint32_t charged_head_, charged_bytes_;
};

}  // namespace rxvhost
