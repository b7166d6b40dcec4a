#include "guest/dirty_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace rxvhost::guest {

namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

DirtyPages::~DirtyPages() {
  if (bits_) ::munmap(bits_, size_);
}

int DirtyPages::create(uint64_t end) {
  if (bits_) {
    std::memset(bits_, 0, size_);
    return 0;
  }
  const uint64_t bytes = end / kPage / 8 + 1, size = (bytes + kPage - 1) / kPage * kPage;
  Fd fd(::memfd_create("rx-vhost-log", MFD_CLOEXEC));
  if (!fd) return errno;
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return errno;
  void* bits = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (bits == MAP_FAILED) return errno;
  fd_ = std::move(fd);
  bits_ = static_cast<uint8_t*>(bits);
  size_ = size;
  return 0;
}

// Uses an atomic exchange, because the back end could set a bit between a read and a separate clear. The
// exchange is an acquire, so that a later copy of the page contains everything that was written before the
// page was marked.
uint32_t DirtyPages::take(uint64_t first, std::span<uint32_t> out) {
  uint32_t count = 0;
  for (uint64_t at = first / 8; at < size_ && count + 8 <= out.size(); at++) {
    if (__atomic_load_n(bits_ + at, __ATOMIC_RELAXED) == 0) continue;
    uint32_t bits = __atomic_exchange_n(bits_ + at, uint8_t{0}, __ATOMIC_ACQUIRE);
    for (; bits != 0; bits &= bits - 1)
      out[count++] = static_cast<uint32_t>(at * 8 + static_cast<uint32_t>(std::countr_zero(bits)) - first);
  }
  return count;
}

}  // namespace rxvhost::guest
