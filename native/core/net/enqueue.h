// To the guest: copies packets from the pool into the receive buffers of an even ring. A packet takes one
// chain, or, if mergeable buffers were negotiated, as many chains as it needs. It is delivered whole or not
// at all. Each burst publishes and calls at its end.
#pragma once

#include <cstdint>

#include "core/net/burst.h"
#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Consumes packets in order until one finds no buffers. The count that it returns, in BurstBits, includes
/// packets that were dropped; `counters` (by default the ring's own) counts them by reason. The caller keeps
/// its references in every case. `mtu`: the guest's MTU, 0 = none; a longer packet is dropped.
uint32_t enqueue_burst(Virtqueue& queue, Pool& pool, const uint32_t* slots, uint32_t count,
                       Counters* counters = nullptr, uint32_t mtu = 0);

}  // namespace rxvhost
