// The contract of a ring format: all operations that Virtqueue, the chain walker and the burst loops need.
// Split is the only format so far. Virtqueue holds a variant of the formats and visits it once per burst. The
// loops inside the visit are templates over the format. virtio 1.2 §2.6 to §2.8.
//
// A handle, R::Head, names a chain from peek() until complete() or undo():
//
//   at()                 the place of the chain's first descriptor
//   id()                 the number that the driver reads in the used entry
//   slots()              number of the ring's descriptors that the chain occupies
//
// Available side:
//
//   peek(n, heads)       reads the next available heads, at most n, once, and checks them. It reads what the
//                        driver made available with acquire
//   more()               true: at the last peek() there was more
//   idle()               true: nothing new is available, and an empty poll can end here
//   first(head)          loads the chain's first descriptor
//   cursor(head)         a cursor at that descriptor
//   take(head)           removes the next head from the available side; it must be completed or undone
//   undo(head)           puts the head that was taken last back
//
// Used side:
//
//   complete(head, len)  stages a used entry; `len` is exactly the number of bytes that were written
//   staged()             number of used entries that are not published yet
//   publish()            makes the staged entries visible, with release
//   log_used(log, at)    marks our writes to the ring in the log of a migration from now on, as if the used
//                        ring began at guest-physical address `at`; nullptr ends it. The log must cover
//                        logged_bytes(size) bytes there, and must stay valid until then
//
// Notifications:
//
//   call_due()           true: entries were published since the last should_call()
//   should_call()        after publish(): true if the driver wants a call
//   arm_kick()           asks for a kick when more becomes available than peek() has seen. True: more is
//                        available already
//   suppress_kick()      asks for no kicks
//
// Guesses of the places that the next chain will use. A wrong guess costs only time:
//
//   guess()              its available entry and its first descriptor
//   prefetch_used(n)     prefetches the next n used entries, which will be written
//
// State:
//
//   start(place, size, base, event_index)   begins; `base` is the one from the front end
//   move(place)          continues with the same ring after its memory was mapped again
//   base()               the base to restart from (GET_VRING_BASE)
//   size()               number of entries of the ring
//   wiped()              true: the guest has cleared the ring, and nothing in it may be used
//   reads_as_zero()      true: as far as we can see, nobody ever wrote to the ring
//
// Layout, before a ring starts:
//
//   layout(size)         sizes and alignments of the three areas
//   valid_size(size)     true: the format allows this size
//   logged_bytes(size)   number of bytes that log_used() marks
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "core/base/result.h"
#include "core/memory/dirty_log.h"
#include "core/virtqueue/descriptor_table.h"

namespace rxvhost {

/// `count` heads are good. `fault`: the fault of the head after these, or of the driver's index if there is
/// none.
struct Heads {
  uint32_t count;
  Reason fault;
};

/// The result of a cursor's step. `unreadable`: the descriptor is not in guest memory. `loop`: the chain is
/// longer than its table. `range`: the chain leaves its table.
enum class Step : uint8_t { loaded, end, unreadable, loop, range };

/// To be used only for a prefetch. `descriptor` is nullptr if the entry names no descriptor.
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

/// Pointers to the areas. They were checked for as many bytes as the layout has.
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

/// Walks one chain. It begins at the chain's first descriptor, which R::first() has loaded.
template <class C>
concept DescriptorCursor = requires(C cursor, const DescriptorTable& table, Descriptor* d) {
  /// Continues in an indirect table.
  cursor.enter(table);
  /// Loads the first descriptor of that table.
  { cursor.first(d) } -> std::same_as<Step>;
  /// Loads the descriptor after `*d`, which was loaded last.
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
