// Eventfds: the kick, call and error notifiers of a ring. A front end can send a file of any other type
// instead, and such a file could block or always be readable. So the type of each fd is checked once, when it
// arrives.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

bool is_eventfd(int fd);
/// Makes a front end's eventfd non-blocking, for all processes that share it. Returns false for any other
/// file.
bool take_notifier(int fd);
/// Returns a new eventfd with count 0, non-blocking and close-on-exec, or an empty Fd if the process has no
/// free fd.
Fd make_eventfd();

}  // namespace rxvhost
