// Writes to the call fd and the error fd of a ring. A peer can make a write to its eventfd block, by setting
// the counter to its maximum and clearing O_NONBLOCK on the file description that it shares with us. So
// notify() asks first whether the fd takes a write. A peer that fills the eventfd right between the question
// and the write still blocks it: a watchdog thread interrupts every write that takes too long. The watchdog
// sleeps while no thread writes, so that an idle process uses no CPU.
#pragma once

#include "core/base/fd.h"

namespace rxvhost {

enum class NotifyResult { sent, already_pending, failed, stuck };

/// Adds 1 to the eventfd, unless its counter is at its maximum: then the peer has yet to read it.
NotifyResult notify(const Fd& eventfd);

/// notify() without the question. `stuck` after kCallDeadlineMs: the caller latches its ring.
NotifyResult write_watched(const Fd& eventfd);

}  // namespace rxvhost
