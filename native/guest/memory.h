// Guest memory of the in-process front end: one memfd, which is mapped here for the driver side and shared
// with a back end by its fd. This code knows where rings and buffers are in the memory, but it does not
// depend on ring contents or messages. The back end makes its own mapping of the file.
//
// The file is not sealed, because some tests shrink it. truncate() replaces the removed pages by private zero
// pages in this mapping, so that the driver side never accesses a page that the file does not have.
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

  /// Creates and maps `size` bytes of zeroes. Returns 0 or an errno.
  int create(size_t size);
  std::byte* at(uint64_t offset) const { return base_ + offset; }
  size_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  bool contains(uint64_t offset, uint64_t length) const {
    return offset <= size_ && length <= size_ - offset;
  }
  /// Sets the file's length, which can be at most the size at creation. Returns 0 or an errno.
  int truncate(size_t length);

 private:
  Fd fd_;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
};

/// How descriptors hold a frame. `single`: one descriptor for header and data. `split`: a header descriptor
/// and then a chain of data descriptors. `indirect`: like `split`, but in an indirect table.
enum class Layout : uint32_t { single, split, indirect };

struct PortOptions {
  uint32_t queue_size = 256;
  Layout layout = Layout::single;
  uint32_t segments = 2;            // data descriptors per frame in the layouts `split` and `indirect`
  uint32_t receive_buffer = 2048;   // bytes of one receive buffer, including the header
  uint32_t transmit_buffer = 2048;  // longest frame that can be sent
  bool auto_post = true;            // receive buffers are posted at start, and again after they are read
  bool calls = true;  // requests a call if a ring has nothing to read or no room; false: polling
};

/// The places of one ring and its buffers, as offsets into the memory.
struct RingPlace {
  uint64_t descriptors, available, used;
  uint64_t tables;   // indirect tables, one per chain
  uint64_t headers;  // virtio-net headers at intervals of 16 bytes, for the layouts `split` and `indirect`
  uint64_t buffers;  // one per chain
  uint64_t buffer_stride;  // bytes from one buffer to the next
  uint32_t chains;         // maximum number of chains in the ring
  uint32_t segment_capacity, segment_stride;
};

struct MemoryPlan {
  RingPlace rings[2];  // 0 to guest, 1 from guest
  uint64_t size;
};

inline constexpr uint32_t kMaxHeader = 12;
inline constexpr uint32_t kMaxSegments = 16;
inline constexpr uint32_t kLeastSegment = 16;  // minimum size of the segments into which a frame is split

/// Plans the memory from offset `start` on, which must be the start of a page. Returns false if the options
/// are invalid (for instance a queue size that is not a power of two).
bool plan_memory(const PortOptions& options, uint64_t start, MemoryPlan& plan);

}  // namespace rxvhost::guest
