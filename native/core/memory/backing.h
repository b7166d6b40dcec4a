// Finds out why a page of a mapped file was missing, which SIGBUS does not tell: the front end truncated the
// file, or its file system or the pool of huge pages had no page left. A file that is sealed against
// shrinking, as QEMU's memfds are, can't have been truncated. Any other file stays open, so that its size can
// be read after a fault: one fd for all regions of a file, and at most kMaxBackings files of one memory
// table.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/memory/file_kind.h"

namespace rxvhost {

/// The numbers pass to JavaScript (src/device/effects.ts).
enum class Loss : uint8_t {
  unknown,     // nothing is missing, or the cause is not known
  truncated,   // the file is shorter than its mapping
  no_backing,  // the file is long enough, but the system had no page
  hardware,    // the machine's memory failed
};

class Backing {
 public:
  Backing(Fd fd, const FileFacts& file) : fd_(std::move(fd)), device_(file.device), inode_(file.inode) {}
  /// For a file that can't be truncated: no fd is needed.
  Backing() = default;

  /// Why a page among the first `end` bytes is missing, as of now: the front end can lengthen the file again.
  Loss loss(uint64_t end) const;
  bool open() const { return static_cast<bool>(fd_); }
  bool is(const FileFacts& file) const { return open() && device_ == file.device && inode_ == file.inode; }

 private:
  Fd fd_;
  uint64_t device_ = 0, inode_ = 0;
};

/// The files of one table.
using Backings = std::vector<std::shared_ptr<const Backing>>;

/// The backing of a file that is being mapped: the one in `known`, or a new one, which is added to `known`;
/// nullptr if there are too many. Takes the fd only if it has to stay open.
std::shared_ptr<const Backing> backing_of(Fd* fd, const FileFacts& file, Backings* known);

}  // namespace rxvhost
