// From the guest: copies packets out of an odd ring into the pool. The steps are peek, walk, check the
// header, take a slot, copy, complete; then publish and call once per burst. A chain that is not a packet is
// completed with length 0, and counted by its reason.
#pragma once

#include <cstdint>

#include "core/net/burst.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Writes up to `max` (<= kMaxBurst) slot ids to `slots`. The packets are charged to `account` and have one
/// reference. `counters`: by default the ring's own. Returns BurstBits.
uint32_t dequeue_burst(Virtqueue& queue, Pool& pool, uint32_t account, uint32_t max, uint32_t* slots,
                       Counters* counters = nullptr);

}  // namespace rxvhost
