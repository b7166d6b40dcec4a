// The cache lines that the next chain of a ring will need, asked for ahead of it by who waits at the ring
// anyway. A chain is found by loads that need each other (its entry, its descriptor, its buffer), each of a
// line that the driver's core wrote last; with their places known before, the lines travel together. The
// places are a guess: drivers write the same entries and descriptors again, in the same order. Nothing that
// is read here is used for more than a prefetch, so a wrong guess costs nothing but time; the burst loads and
// checks all of it itself. Between a ring and net/linger.
#pragma once

#include "core/base/copy.h"
#include "core/virtqueue/chain_walker.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// `access`: what the burst will do with the buffer. Only while the queue is in use (Virtqueue::Use).
template <Access access>
class Foresight {
 public:
  explicit Foresight(Virtqueue& queue) : entry_(queue.ring().next_entry()) {
    const SplitRing& ring = queue.ring();
    ring.prefetch_used(1);
    const uint16_t head = guest_load(entry_);
    if (head >= ring.size()) return;
    descriptor_ = ring.table() + head;
    const Descriptor d = DescriptorTable::load(descriptor_);
    const Region* last = nullptr;
    buffer_ = queue.memory().translate<access>(d.address, d.length, &last);
  }

  /// Asks for them, and waits for none.
  void ask() const {
    prefetch(entry_);
    if (descriptor_ != nullptr) prefetch(descriptor_);
    for (uint32_t at = 0; at < kBufferLines * kCacheLine && at < buffer_.size; at += kCacheLine) {
      if constexpr (access == Access::write)
        prefetch_to_write(buffer_.data + at);
      else
        prefetch(buffer_.data + at);
    }
  }

 private:
  static constexpr uint32_t kBufferLines =
      2;  // the header, and a short packet or the beginning of a long one

  const uint16_t* const entry_;
  const vring_desc* descriptor_ = nullptr;
  Span buffer_{nullptr, 0};
};

}  // namespace rxvhost
