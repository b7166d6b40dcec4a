// Eventfds: the kick, call and error notifiers of a ring. A front end can send any other file instead,
// which might block or always be readable. So the type is checked once, when the fd arrives.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

bool is_eventfd(int fd);
/// Makes a front end's eventfd non-blocking, for all processes that share it. False for any other file.
bool take_notifier(int fd);
/// A new eventfd, non-blocking and close-on-exec, with count 0; empty when the process is out of fds.
Fd make_eventfd();

}  // namespace rxvhost
