// The two notifications that we send: the call fd (us → guest) and the error fd. A peer can make a write to
// its eventfd block (counter at its maximum and O_NONBLOCK cleared on the description that we share), so
// every write runs under a watchdog that interrupts it; the watchdog sleeps for ever while nobody notifies,
// so idle costs nothing.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

enum class NotifyResult { sent, already_pending, failed, stuck };

/// Adds 1 to the eventfd. `stuck` after kCallDeadlineMs: the caller latches its ring.
NotifyResult notify(const Fd& eventfd);

}  // namespace rxvhost
