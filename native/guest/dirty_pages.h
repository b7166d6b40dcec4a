// The dirty log as a front end that migrates its guest keeps it: a memfd with a bit for each page of
// guest-physical memory, which the back end sets and this side takes. Knows no message and no guest.
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

  /// A log for all addresses below `end`, empty; 0 or an errno. Again: empties it.
  int create(uint64_t end);
  uint64_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  /// Clears the bits of pages from `first` on, and gives how far behind it each was, lowest first; the rest
  /// stays for the next call when `out` is full.
  uint32_t take(uint64_t first, std::span<uint32_t> out);

 private:
  Fd fd_;
  uint8_t* bits_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace rxvhost::guest
