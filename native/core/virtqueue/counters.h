// What a ring counts. One block belongs to whoever makes the calls: a queue of JavaScript, which reads its
// block as memory, with no call (src/data/counters/counters.ts); the ring itself, where nobody gave one.
// Words of 64 bits, written by the thread that holds the ring's lock.
#pragma once

#include <cstdint>

#include "core/virtqueue/stat.h"

namespace rxvhost {

struct Counters {
  uint64_t at[stat_count] = {};
};

}  // namespace rxvhost
