// Waits a little at an empty ring, on a core that has nothing else to do, and uses the time: it prefetches
// what the next packet will touch on its way in and on its way out. It moves no packet.
#pragma once

#include <chrono>
#include <span>

#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Looks at the ring until something is there, for at most two microseconds; gives the time that it waited.
/// `sinks`: rings that the next packet will probably go to. Rings that do not run are passed over.
std::chrono::nanoseconds spin_wait(Virtqueue& queue, Pool& pool, std::span<Virtqueue* const> sinks);

}  // namespace rxvhost
