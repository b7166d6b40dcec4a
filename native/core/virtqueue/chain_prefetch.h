// Prefetches the cache lines that the next chain of a ring will need, while a thread waits for that chain. To
// find a chain takes loads that depend on each other: its entry, its descriptor, its buffer. The driver's
// core wrote each of these lines last. If their addresses are known in advance, the lines can be requested
// together. The ring's format guesses the addresses. The guess is used only to prefetch, so a wrong guess
// costs only time: the burst loads and checks everything itself. Used by net/spin_wait.
#pragma once

#include "core/base/copy.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// `access`: how the burst will use the buffer. The queue must be in use (Virtqueue::Use).
template <Access access>
class ChainPrefetch {
 public:
  template <Ring R>
  ChainPrefetch(const R& ring, const MemorySnapshot& memory) : guess_(ring.guess()) {
    ring.prefetch_used(1);
    if (guess_.descriptor == nullptr) return;
    const Region* last = nullptr;
    buffer_ = memory.translate<access>(guess_.content.address, guess_.content.length, &last);
  }

  /// Requests the lines, and does not wait for them.
  void run() const {
    prefetch(guess_.entry);
    if (guess_.descriptor != nullptr) prefetch(guess_.descriptor);
    for (uint32_t at = 0; at < kBufferLines * kCacheLine && at < buffer_.size; at += kCacheLine) {
      if constexpr (access == Access::write)
        prefetch_to_write(buffer_.data + at);
      else
        prefetch(buffer_.data + at);
    }
  }

 private:
  // The header, and a short packet or the beginning of a long one.
  static constexpr uint32_t kBufferLines = 2;

  const ChainGuess guess_;
  Span buffer_{nullptr, 0};
};

}  // namespace rxvhost
