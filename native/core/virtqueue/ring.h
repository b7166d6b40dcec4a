// The contract of a ring: what the chain walker and the burst loops above it may ask. Split implements it
// now, packed will; a burst looks once which one it has, and the loop below is a template. The verbs:
//
//   peek(n, ids)      the next available heads, at most n, loaded once and checked; reads the driver's index
//                     with acquire
//   idle()            nothing new was made available since the last look: an empty poll ends here
//   table()           the descriptors that a chain of this ring starts in
//   take(id)          the next head leaves the available side; it must be completed or undone
//   undo(id)          gives the head that was taken last back, as if never seen
//   complete(id, len) stages a used entry; `len` is the bytes that we wrote, exactly
//   publish()         makes staged entries visible, with release
//   should_call()     after publish: does the driver want to be notified?
//   arm_kick()        ask for a kick on anything beyond what peek() has seen; true = it is there already
//   suppress_kick()   ask for none
//   wiped()           the guest has reset the ring behind our back: nothing of it is to be used
//   base()            the index to restart from (GET_VRING_BASE)
//
// virtio 1.2 §2.6-2.8.
#pragma once

#include <concepts>
#include <cstdint>

#include "core/base/result.h"
#include "core/base/virtio.h"

namespace rxvhost {

/// A descriptor copied out of guest memory once; everything is checked and used from this copy.
struct Descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

/// `count` heads are good. `fault`: of the one behind them, or of the driver's index when there is none.
struct Heads {
  uint32_t count;
  Reason fault;
};

template <class R>
concept Ring = requires(R ring, uint16_t id, uint32_t n, uint16_t* ids) {
  { ring.peek(n, ids) } -> std::same_as<Heads>;
  { ring.idle() } -> std::same_as<bool>;
  { ring.take(id) } -> std::same_as<Reason>;
  ring.undo(id);
  ring.complete(id, n);
  ring.publish();
  { ring.should_call() } -> std::same_as<bool>;
  { ring.arm_kick() } -> std::same_as<bool>;
  ring.suppress_kick();
  { ring.wiped() } -> std::same_as<bool>;
  { ring.base() } -> std::same_as<uint16_t>;
};

}  // namespace rxvhost
