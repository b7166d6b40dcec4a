// Guest memory of the front end in-process: one memfd, mapped here for the driver side and shared with a back
// end by its fd. Knows where rings and buffers lie in it, nothing of ring contents or messages. The back end
// maps the same file by itself: this mapping is never handed over.
//
// The file is not sealed: a hostile test shrinks it. Whoever shrinks it through `truncate` keeps a private,
// zeroed mapping of what was lost, so that the driver side itself never touches a page without a file behind
// it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/fd.h"

namespace rxvhost::guest {

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  /// Creates and maps `size` bytes of zeroes; 0 or an errno.
  int create(size_t size);
  std::byte* at(uint64_t offset) const { return base_ + offset; }
  size_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  bool contains(uint64_t offset, uint64_t length) const {
    return offset <= size_ && length <= size_ - offset;
  }
  /// Sets the file's length, at most the size at creation; 0 or an errno.
  int truncate(size_t length);

 private:
  Fd fd_;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
};

/// How a frame is put into descriptors: header and data in one; a header descriptor and a chain of data
/// descriptors; the same in an indirect table.
enum class Layout : uint32_t { single, split, indirect };

struct PortOptions {
  uint32_t queue_size = 256;
  Layout layout = Layout::single;
  uint32_t segments = 2;            // data descriptors of a frame in the layouts `split` and `indirect`
  uint32_t receive_buffer = 2048;   // bytes of one receive buffer, header included
  uint32_t transmit_buffer = 2048;  // longest frame that can be sent
  bool auto_post = true;            // receive buffers are posted at start and again once read
  bool calls = true;                // asks for a call when a ring gives out; false: its user polls
};

/// Where one ring and its buffers lie, as offsets into the memory.
struct RingPlace {
  uint64_t descriptors, available, used;
  uint64_t tables;   // indirect tables, one a chain
  uint64_t headers;  // virtio-net headers of the layouts with a descriptor of its own for it, 16 bytes apart
  uint64_t buffers;  // one a chain
  uint64_t buffer_stride;  // bytes from one buffer to the next
  uint32_t chains;         // chains that the ring holds at once
  uint32_t segment_capacity, segment_stride;
};

struct MemoryPlan {
  RingPlace rings[2];  // 0 to guest, 1 from guest
  uint64_t size;
};

inline constexpr uint32_t kMaxHeader = 12;
inline constexpr uint32_t kMaxSegments = 16;
inline constexpr uint32_t kLeastSegment = 16;  // a frame is not cut into smaller segments than this

/// Plans from offset `start` on, a page's border. False if the options make no sense (a queue size that is no
/// power of two, a buffer without room for a header).
bool plan_memory(const PortOptions& options, uint64_t start, MemoryPlan& plan);

}  // namespace rxvhost::guest
