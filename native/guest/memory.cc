#include "guest/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace rxvhost::guest {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kSegmentGap = 64;  // between segments, so that a reader must follow the descriptors

uint64_t align(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

uint64_t take(uint64_t& offset, uint64_t length) {
  const uint64_t at = offset;
  offset = align(offset + length, kPage);
  return at;
}

/// Plans the ring, indirect tables and headers of one ring. The buffers of both rings come last in the
/// memory, so that a front end can split the memory into regions at any place in the buffers.
void plan_ring(const PortOptions& options, uint32_t bytes, RingPlace& place, uint64_t& offset) {
  const uint32_t size = options.queue_size;
  const bool single = options.layout == Layout::single;
  const uint32_t descriptors = single ? 1 : options.segments + 1;
  place.descriptors = take(offset, 16ull * size);
  place.available = take(offset, 6 + 2ull * size);
  place.used = take(offset, 6 + 8ull * size);
  place.chains = options.layout == Layout::split ? size / descriptors : size;
  place.tables = take(offset, 16ull * descriptors * place.chains);
  place.headers = take(offset, 16ull * place.chains);
  place.segment_capacity = single ? bytes : (bytes + options.segments - 1) / options.segments;
  place.segment_stride = static_cast<uint32_t>(align(std::max(place.segment_capacity, kLeastSegment), 64)) +
                         (single ? 0 : kSegmentGap);
  place.buffer_stride = uint64_t{place.segment_stride} * (single ? 1 : options.segments);
}

}  // namespace

Memory::~Memory() {
  if (base_) ::munmap(base_, size_);
}

int Memory::create(size_t size) {
  Fd fd(::memfd_create("rx-vhost-guest", MFD_CLOEXEC));
  if (!fd) return errno;
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return errno;
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return errno;
  fd_ = std::move(fd);
  base_ = static_cast<std::byte*>(base);
  size_ = size;
  return 0;
}

int Memory::truncate(size_t length) {
  if (length > size_) return EINVAL;
  // Replace the removed pages in the driver's own mapping before the file is truncated. In this order no
  // access of the driver can fault.
  const size_t kept = std::min<size_t>(align(length, kPage), size_);
  if (kept < size_) {
    void* tail = ::mmap(base_ + kept, size_ - kept, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (tail == MAP_FAILED) return errno;
  }
  if (::ftruncate(fd_.get(), static_cast<off_t>(length)) != 0) return errno;
  if (kept == 0) return 0;
  void* head = ::mmap(base_, kept, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_.get(), 0);
  return head == MAP_FAILED ? errno : 0;
}

bool plan_memory(const PortOptions& options, uint64_t start, MemoryPlan& plan) {
  const uint32_t size = options.queue_size;
  if (size < 2 || size > 32768 || (size & (size - 1)) != 0) return false;
  if (options.segments < 1 || options.segments > kMaxSegments || options.segments + 1 > size) return false;
  if (options.layout > Layout::indirect) return false;
  if (options.receive_buffer < 64 || options.receive_buffer > 1u << 20) return false;
  if (options.transmit_buffer < 64 || options.transmit_buffer > 1u << 20) return false;
  // The first page is unused, so that a zero address never points to a ring or a buffer.
  uint64_t offset = start + kPage;
  plan_ring(options, options.receive_buffer, plan.rings[0], offset);
  plan_ring(options, options.transmit_buffer + kMaxHeader, plan.rings[1], offset);
  for (RingPlace& place : plan.rings) place.buffers = take(offset, place.buffer_stride * place.chains);
  plan.size = offset - start;
  return offset <= 1ull << 32;
}

}  // namespace rxvhost::guest
