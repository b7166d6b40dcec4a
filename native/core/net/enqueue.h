// To the guest: copies packets from the pool into the receive buffers of an even ring. A packet takes one
// chain, or as many as it needs when mergeable buffers were negotiated; it is delivered whole or not at all.
// Publish and call once.
#pragma once

#include <cstdint>

#include "core/net/burst.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Consumes packets in order until one finds no buffers; the count has delivered and dropped ones, which are
/// told apart in `counters`: the caller's, or by default the ring's own. The caller keeps its references in
/// every case. `mtu`: of the guest; 0 = none. A longer packet is dropped.
uint32_t enqueue_burst(Virtqueue& queue, Pool& pool, const uint32_t* slots, uint32_t count,
                       Counters* counters = nullptr, uint32_t mtu = 0);

}  // namespace rxvhost
