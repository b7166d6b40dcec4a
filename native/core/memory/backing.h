// Finds out why a page of a mapped file was missing, because SIGBUS does not tell the cause. Either the front
// end truncated the file, or the file system or the pool of huge pages had no free page. A file that is
// sealed against shrinking, such as QEMU's memfds, can't be truncated. Any other file stays open, so that its
// size can be read after a fault. All regions of a file share one fd, and at most kMaxBackings files of a
// memory table stay open.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/memory/file_kind.h"

namespace rxvhost {

/// The numbers pass to JavaScript (src/device/effects.ts).
enum class Loss : uint8_t {
  unknown,     // no page is missing, or the cause is not known
  truncated,   // the file is shorter than its mapping
  no_backing,  // the file is long enough, but the system had no page
  hardware,    // the memory hardware failed
};

class Backing {
 public:
  Backing(Fd fd, const FileFacts& file) : fd_(std::move(fd)), device_(file.device), inode_(file.inode) {}
  /// For a file that can't be truncated: no fd is needed.
  Backing() = default;

  /// Returns why a page in the first `end` bytes is missing. The result is valid only at the time of the
  /// call, because the front end can make the file longer again.
  Loss loss(uint64_t end) const;
  bool open() const { return static_cast<bool>(fd_); }
  bool is(const FileFacts& file) const { return open() && device_ == file.device && inode_ == file.inode; }

 private:
  Fd fd_;
  uint64_t device_ = 0, inode_ = 0;
};

/// The open files of one memory table.
using Backings = std::vector<std::shared_ptr<const Backing>>;

/// Returns the backing of a file that is being mapped. If `known` does not have the file, a new backing is
/// added to `known`. Returns nullptr if `known` is full. Takes the fd only if it has to stay open.
std::shared_ptr<const Backing> backing_of(Fd* fd, const FileFacts& file, Backings* known);

}  // namespace rxvhost
