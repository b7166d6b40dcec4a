// The front end's side of the dirty log: a memfd with a bit for each page of guest-physical memory. The back
// end sets the bits, and this class reads and clears them. It does not depend on messages or on a guest.
// vhost-user: "Migration".
#pragma once

#include <cstdint>
#include <span>

#include "core/base/fd.h"

namespace rxvhost::guest {

class DirtyPages {
 public:
  DirtyPages() = default;
  DirtyPages(const DirtyPages&) = delete;
  DirtyPages& operator=(const DirtyPages&) = delete;
  ~DirtyPages();

  /// Creates an empty log for all addresses below `end`. A second call clears the log. Returns 0 or an errno.
  int create(uint64_t end);
  uint64_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  /// Clears the bits of page `first` and later pages. Writes each page's distance from `first` to `out`,
  /// lowest first, and returns the number of pages. If `out` is full, the other bits remain for the next
  /// call.
  uint32_t take(uint64_t first, std::span<uint32_t> out);

 private:
  Fd fd_;
  uint8_t* bits_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace rxvhost::guest
