// Waits a little at an empty ring, for a core that has nothing else to do, and uses the time: what the next
// packet will touch on its way in and on its way out is asked for, or gone through, ahead of it. It moves no
// packet.
#pragma once

#include <chrono>
#include <span>

#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Looks at the ring until there is something, at most two microseconds; how long. `sinks`: rings that the
/// next packet will probably go to. Rings that do not run are passed over.
std::chrono::nanoseconds linger(Virtqueue& queue, Pool& pool, std::span<Virtqueue* const> sinks);

}  // namespace rxvhost
