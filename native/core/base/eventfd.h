// Eventfds: the kick, call and error notifiers of a ring. A front end may hand us any file in their place, so
// the kind is checked once, when the fd arrives; a pipe or a regular file would be for ever readable, or
// block.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

bool is_eventfd(int fd);
/// An eventfd of a front end's, made non-blocking for all who share it; false for any other file.
bool take_notifier(int fd);
/// A new eventfd, non-blocking and close-on-exec, with count 0; empty when the process is out of fds.
Fd make_eventfd();

}  // namespace rxvhost
