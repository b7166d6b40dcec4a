// From the guest: copies packets out of an odd ring into the pool. peek → walk → header → slot → copy →
// complete, then publish and call once. A chain that is no packet is completed with length 0 and counted
// under its reason.
#pragma once

#include <cstdint>

#include "core/net/burst.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Writes up to `max` (<= kMaxBurst) slot ids. The packets are charged to `account` and have one reference.
/// `counters`: of the caller; by default the ring's own.
uint32_t dequeue_burst(Virtqueue& queue, Pool& pool, uint32_t account, uint32_t max, uint32_t* slots,
                       Counters* counters = nullptr);

}  // namespace rxvhost
