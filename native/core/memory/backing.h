// Why a page of a mapped file was missing, which SIGBUS does not say: the front end has shortened the file,
// or it is as long as ever and its file system, or the pool of huge pages, had no page left. A file that
// can't be shortened (sealed, as QEMU's memfds are) needs no look; any other stays open for it, once for all
// regions that lie in it, and for kMaxBackings files of a table.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/memory/file_kind.h"

namespace rxvhost {

/// The numbers cross into JavaScript (src/device/effects.ts).
enum class Loss : uint8_t {
  unknown,     // nothing is missing, or nobody can tell any more
  truncated,   // the file is shorter than what was mapped of it
  no_backing,  // it is not: there was no page to be had
  hardware,    // there was one, and the machine's memory failed under it
};

class Backing {
 public:
  Backing(Fd fd, const FileFacts& file) : fd_(std::move(fd)), device_(file.device), inode_(file.inode) {}
  /// Of a file without an fd: it can't be shortened.
  Backing() = default;

  /// What a page is missing for, of the first `end` bytes. For the moment: the front end can mend it again.
  Loss loss(uint64_t end) const;
  bool open() const { return static_cast<bool>(fd_); }
  bool is(const FileFacts& file) const { return open() && device_ == file.device && inode_ == file.inode; }

 private:
  Fd fd_;
  uint64_t device_ = 0, inode_ = 0;
};

/// The files of one table.
using Backings = std::vector<std::shared_ptr<const Backing>>;

/// Of a file that is being mapped: the one that is there already, or one more; nullptr if there are too many.
/// The fd is taken only if it has to stay open.
std::shared_ptr<const Backing> backing_of(Fd* fd, const FileFacts& file, Backings* known);

}  // namespace rxvhost
