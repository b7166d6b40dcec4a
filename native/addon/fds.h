// The table of file descriptors that JavaScript names by token only. A token is (index | generation << 20),
// so a token used twice, or after its fd was taken, names nothing. All of an env's fds close when the env
// dies.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/fd.h"

namespace rxvhost::addon {

using FdToken = uint32_t;  // 0 is never a valid token

class FdTable {
 public:
  FdToken add(Fd fd);
  /// The fd behind a token, or -1. Ownership stays here.
  int get(FdToken token) const;
  /// Takes the fd out of the table; an empty Fd if the token names nothing.
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
