// Waits for a short time at an empty ring, while the thread has nothing else to do. Meanwhile it prefetches
// the memory that the next packet will probably use, in this ring and in the rings it goes to. It moves no
// packet.
#pragma once

#include <chrono>
#include <span>

#include "core/net/pool.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// Polls the ring until something is available, for at most two microseconds. Returns the time that it
/// waited. `sinks`: rings that the next packet will probably go to. Rings that do not run are skipped.
std::chrono::nanoseconds spin_wait(Virtqueue& queue, Pool& pool, std::span<Virtqueue* const> sinks);

}  // namespace rxvhost
