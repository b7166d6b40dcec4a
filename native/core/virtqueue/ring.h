// The contract of a ring format: everything that Virtqueue, the chain walker and the burst loops ask of a
// ring. Split is the only format so far. Virtqueue holds a variant of the formats and visits it once a burst;
// the loops below the visit are templates over the format. virtio 1.2 §2.6 to §2.8.
//
// A chain is named by a handle, R::Head, from peek() until complete() or undo():
//
//   at()                 where the chain's first descriptor stands
//   id()                 what the driver reads in the used entry
//   slots()              descriptors of the ring that the chain takes up
//
// Available side:
//
//   peek(n, heads)       the next available heads, at most n, loaded once and checked; reads with acquire
//   what
//                        the driver made available
//   more()               more was available at the last look
//   idle()               nothing was made available since the last look: an empty poll ends here
//   first(head)          loads the chain's first descriptor
//   cursor(head)         a cursor that stands on that descriptor
//   take(head)           the next head leaves the available side; it must be completed or undone
//   undo(head)           gives the head that was taken last back, as if it had never been seen
//
// Used side:
//
//   complete(head, len)  stages a used entry; `len` is exactly the number of bytes that we wrote
//   staged()             used entries that wait for publish()
//   publish()            makes staged entries visible, with release
//   log_used(log, at)    marks our writes in a migration's log from now on, as if they began at
//   guest-physical
//                        address `at`; nullptr ends it. The log covers logged_bytes(size) there and outlives
//                        the ring's use of it
//
// Notifications:
//
//   call_due()           something was published since the last should_call()
//   should_call()        after publish(): the driver wants to be notified
//   arm_kick()           asks for a kick on anything beyond what peek() has seen; true = something is there
//                        already
//   suppress_kick()      asks for none
//
// Places that the next chain will probably use; they cost nothing but time when they are wrong:
//
//   guess()              its entry and its first descriptor
//   prefetch_used(n)     the next n used entries will be written
//
// State:
//
//   start(place, size, base, event_index)   begins; `base` is what the front end told
//   move(place)          the same ring, in memory that was mapped anew
//   base()               what to restart from (GET_VRING_BASE)
//   size()               slots of the ring
//   wiped()              the guest has reset the ring without telling: nothing of it may be used
//   reads_as_zero()      nobody ever wrote the ring, as far as we can see
//
// Questions of layout, asked before a ring starts:
//
//   layout(size)         sizes and alignments of the three areas
//   valid_size(size)     the format allows rings of this size
//   logged_bytes(size)   bytes that log_used() marks
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "core/base/result.h"
#include "core/memory/dirty_log.h"
#include "core/virtqueue/descriptor_table.h"

namespace rxvhost {

/// `count` heads are good. `fault`: of the one behind them, or of what the driver made available when there
/// is none.
struct Heads {
  uint32_t count;
  Reason fault;
};

/// What a cursor found. `unreadable`: the descriptor is not in guest memory. `loop` and `range`: the chain is
/// longer than its table, or leaves it.
enum class Step : uint8_t { loaded, end, unreadable, loop, range };

/// Nothing in it may be used for more than a prefetch. `descriptor` is nullptr if the entry names none.
struct ChainGuess {
  const void* entry;
  const void* descriptor;
  Descriptor content;
};

/// The three areas of a ring in virtio's words (virtio 1.2 §2.6). In a split ring these are the descriptor
/// table, the available ring and the used ring.
struct RingLayout {
  struct Area {
    uint64_t bytes;
    uint64_t alignment;
  };
  Area descriptor, driver, device;
};

/// Where the areas are: checked pointers to as many bytes as the layout says.
struct RingPlace {
  uint8_t* descriptor;
  uint8_t* driver;
  uint8_t* device;
};

template <class H>
concept ChainHandle = std::is_trivially_copyable_v<H> && requires(const H head) {
  { head.at() } -> std::convertible_to<uint32_t>;
  { head.id() } -> std::convertible_to<uint32_t>;
  { head.slots() } -> std::convertible_to<uint32_t>;
};

/// Walks one chain. It begins on the chain's first descriptor, which R::first() has loaded.
template <class C>
concept DescriptorCursor = requires(C cursor, const DescriptorTable& table, Descriptor* d) {
  /// The chain goes on in an indirect table.
  cursor.enter(table);
  /// Loads the first descriptor of the table that was entered.
  { cursor.first(d) } -> std::same_as<Step>;
  /// Loads what follows `*d`, the descriptor that was loaded last.
  { cursor.next(d) } -> std::same_as<Step>;
};

template <class R>
concept Ring = ChainHandle<typename R::Head> && DescriptorCursor<typename R::Cursor> &&
    requires(R ring, const R fixed, typename R::Head head, typename R::Head* heads, uint32_t n,
             const RingPlace& place, const DirtyLog* log, uint64_t address, bool event_index) {
  { ring.peek(n, heads) } -> std::same_as<Heads>;
  { fixed.more() } -> std::same_as<bool>;
  { fixed.idle() } -> std::same_as<bool>;
  { fixed.first(head) } -> std::same_as<Descriptor>;
  { fixed.cursor(head) } -> std::same_as<typename R::Cursor>;
  { ring.take(head) } -> std::same_as<Reason>;
  ring.undo(head);

  ring.complete(head, n);
  { fixed.staged() } -> std::same_as<uint32_t>;
  ring.publish();
  ring.log_used(log, address);

  { fixed.call_due() } -> std::same_as<bool>;
  { ring.should_call() } -> std::same_as<bool>;
  { ring.arm_kick() } -> std::same_as<bool>;
  ring.suppress_kick();

  { fixed.guess() } -> std::same_as<ChainGuess>;
  fixed.prefetch_used(n);

  ring.start(place, n, n, event_index);
  ring.move(place);
  { fixed.base() } -> std::same_as<uint32_t>;
  { fixed.size() } -> std::same_as<uint32_t>;
  { fixed.wiped() } -> std::same_as<bool>;
  { fixed.reads_as_zero() } -> std::same_as<bool>;

  { R::layout(n) } -> std::same_as<RingLayout>;
  { R::valid_size(n) } -> std::same_as<bool>;
  { R::logged_bytes(n) } -> std::same_as<uint64_t>;
};

}  // namespace rxvhost
