// The threads on which guests' memory is mapped and unmapped: no other thread does either. mmap() of a huge
// page file waits for the file's lock, which a front end holds for as long as its own fallocate() of that
// file takes; unmapping the last that is left of a guest's memory frees it, which takes a second for some
// tens of GiB.
#pragma once

#include "core/base/blocking_threads.h"

namespace rxvhost {

/// The jobs' `whose` is the driver that a device belongs to (Device::driver()).
BlockingThreads& memory_threads();

}  // namespace rxvhost
