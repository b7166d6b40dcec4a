// Prefetches the cache lines that the next chain of a ring will need, while a thread waits at the ring
// anyway. A chain is found by loads that depend on each other (its entry, its descriptor, its buffer), each
// of a line that the driver's core wrote last; when their places are known before, the lines travel together.
// The places are a guess of the ring's format. Nothing that is read here is used for more than a prefetch, so
// a wrong guess costs nothing but time; the burst loads and checks all of it itself. Used by net/spin_wait.
#pragma once

#include "core/base/copy.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/ring.h"

namespace rxvhost {

/// `access`: what the burst will do with the buffer. Only while the queue is in use (Virtqueue::Use).
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

  /// Asks for the lines, and waits for none.
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
