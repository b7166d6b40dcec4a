#include "core/net/linger.h"

#include "core/net/enqueue.h"
#include "core/virtqueue/foresight.h"

namespace rxvhost {

namespace {

using Clock = std::chrono::steady_clock;

// About as long as it takes to dequeue a burst of short packets, so that a core which waits disturbs the
// guest's no more often than one that works. Little beside a turn of the event loop.
constexpr std::chrono::nanoseconds kLinger{2000};
constexpr int kLooksAtOnce = 8;  // between two looks at the clock, which take longer

// Tells the core that this loop waits: its sibling, and its power, are for others meanwhile.
void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

void prepare(Virtqueue& sink, Pool& pool) {
  {
    const Virtqueue::Use use(sink);
    if (!use) return;
    Foresight<Access::write>(sink).ask();
  }
  // The same way as with packets, so that its code and the ring's own data are near.
  enqueue_burst(sink, pool, nullptr, 0);
}

}  // namespace

std::chrono::nanoseconds linger(Virtqueue& queue, Pool& pool, std::span<Virtqueue* const> sinks) {
  for (Virtqueue* sink : sinks) prepare(*sink, pool);
  pool.prefetch_next();
  std::chrono::nanoseconds waited{0};
  const Virtqueue::Use use(queue);
  const SplitRing& ring = queue.ring();
  if (!use || !ring.idle()) return waited;
  const Foresight<Access::read> next(queue);
  const Clock::time_point began = Clock::now();
  do {
    for (int looks = 0; looks < kLooksAtOnce && ring.idle(); looks++) relax();
    waited = Clock::now() - began;
  } while (ring.idle() && waited < kLinger);
  if (!ring.idle()) next.ask();
  return waited;
}

}  // namespace rxvhost
