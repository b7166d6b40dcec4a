// The threads on which guests' memory is mapped, and what that replaces is unmapped, while a front end waits
// for its answer. mmap() of a huge page file waits for the file's lock, which a front end holds for as long
// as its own fallocate() of that file takes. What nobody waits for is freed by others (freeing_threads()).
#pragma once

#include "core/base/blocking_threads.h"

namespace rxvhost {

/// The jobs' `whose` is the driver that a device belongs to (Device::driver()).
BlockingThreads& memory_threads();

}  // namespace rxvhost
