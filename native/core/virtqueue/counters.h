// The counters of a ring: words of 64 bits, written by the thread that holds the ring's lock. A queue of
// JavaScript has a block of its own, and reads it as memory, without a call (src/data/counters/counters.ts).
// A ring uses its own block if its caller gives none.
#pragma once

#include <cstdint>

#include "core/virtqueue/stat.h"

namespace rxvhost {

struct Counters {
  uint64_t at[stat_count] = {};
};

}  // namespace rxvhost
