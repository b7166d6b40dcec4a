// The table of an env's file descriptors. JavaScript gets only tokens, never fds. A token is `index |
// generation << 20`. It becomes invalid when its fd is taken out of the table. When the env ends, all fds of
// the table are closed.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/fd.h"

namespace rxvhost::addon {

using FdToken = uint32_t;  // 0 is never a valid token

class FdTable {
 public:
  FdToken add(Fd fd);
  /// Returns the fd of a token, or -1 if the token is invalid. The table still owns the fd.
  int get(FdToken token) const;
  /// Takes the fd out of the table. Returns an empty Fd if the token is invalid.
  Fd take(FdToken token);
  size_t size() const { return live_; }

 private:
  struct Entry {
    Fd fd;
    uint32_t generation = 1;
  };
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

}  // namespace rxvhost::addon
