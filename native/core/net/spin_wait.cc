#include "core/net/spin_wait.h"

#include "core/net/enqueue.h"
#include "core/virtqueue/chain_prefetch.h"

namespace rxvhost {

namespace {

using Clock = std::chrono::steady_clock;

// About as long as it takes to dequeue a burst of short packets, so that a core that waits disturbs the
// guest's core no more often than one that works. It is short beside a turn of the event loop.
constexpr std::chrono::nanoseconds kMostWait{2000};
constexpr int kLooksAtOnce = 8;  // between two looks at the clock, which take longer

// Tells the core that this loop waits, so that it saves power and gives its sibling the time.
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
    sink.visit([&](const auto& ring) { ChainPrefetch<Access::write>(ring, sink.memory()).run(); });
  }
  // An empty burst brings the code and the ring's own data into the cache.
  enqueue_burst(sink, pool, nullptr, 0);
}

template <Ring R>
std::chrono::nanoseconds wait_at(const R& ring, const MemorySnapshot& memory) {
  std::chrono::nanoseconds waited{0};
  if (!ring.idle()) return waited;
  const ChainPrefetch<Access::read> next(ring, memory);
  const Clock::time_point began = Clock::now();
  do {
    for (int looks = 0; looks < kLooksAtOnce && ring.idle(); looks++) relax();
    waited = Clock::now() - began;
  } while (ring.idle() && waited < kMostWait);
  if (!ring.idle()) next.run();
  return waited;
}

}  // namespace

std::chrono::nanoseconds spin_wait(Virtqueue& queue, Pool& pool, std::span<Virtqueue* const> sinks) {
  for (Virtqueue* sink : sinks) prepare(*sink, pool);
  pool.prefetch_next();
  const Virtqueue::Use use(queue);
  if (!use) return std::chrono::nanoseconds{0};
  return queue.visit([&](const auto& ring) { return wait_at(ring, queue.memory()); });
}

}  // namespace rxvhost
