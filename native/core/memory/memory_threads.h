// The threads that map guests' memory and unmap replaced memory while a front end waits for the reply.
// Separate threads are necessary because these calls can block: mmap() of a huge page file waits for the
// file's lock, and a front end holds this lock for as long as its own fallocate() of the file takes.
// freeing_threads() unmap the memory for which no front end waits.
#pragma once

#include "core/base/blocking_threads.h"

namespace rxvhost {

/// The owner of a job is the driver that the device belongs to (Device::driver()).
BlockingThreads& memory_threads();

}  // namespace rxvhost
