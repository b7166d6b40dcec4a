#include "core/base/eventfd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

namespace rxvhost {

bool is_eventfd(int fd) {
  // /proc is read because no system call tells an eventfd from other anonymous inodes: fstat() returns the
  // same for all of them.
  char link[32], target[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, target, sizeof target);
  constexpr char kExpected[] = "anon_inode:[eventfd]";
  return length == sizeof kExpected - 1 && memcmp(target, kExpected, length) == 0;
}

bool take_notifier(int fd) { return is_eventfd(fd) && ::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0; }

Fd make_eventfd() { return Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

}  // namespace rxvhost
