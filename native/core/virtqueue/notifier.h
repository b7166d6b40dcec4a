// Writes to the call fd and the error fd of a ring. A peer can make a write to its eventfd block, by setting
// the counter to its maximum and clearing O_NONBLOCK on the file description that it shares with us. So a
// watchdog thread interrupts every write that takes too long. It sleeps while no thread writes, so that an
// idle process uses no CPU.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

enum class NotifyResult { sent, already_pending, failed, stuck };

/// Adds 1 to the eventfd. `stuck` after kCallDeadlineMs: the caller latches its ring.
NotifyResult notify(const Fd& eventfd);

}  // namespace rxvhost
