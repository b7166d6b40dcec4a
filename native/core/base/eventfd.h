// Eventfds: the kick, call and error notifiers of a ring. A front end may hand us any file in their place, so
// the kind is checked once, when the fd arrives; a pipe or a regular file would be for ever readable, or
// block.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

bool is_eventfd(int fd);
/// A new eventfd, non-blocking and close-on-exec, with count 0; empty when the process is out of fds.
Fd make_eventfd();

enum class Signal { sent, full, failed };
/// Adds one to the counter and never waits by itself. `full`: the counter is at its maximum, so the other
/// side has a notification that it has not read and needs no second one. The peer shares the file description
/// and can clear O_NONBLOCK between our check and the write, so a write may block all the same (measured):
/// callers that can't afford it are interrupted by a watchdog.
Signal signal_eventfd(int fd);

}  // namespace rxvhost
