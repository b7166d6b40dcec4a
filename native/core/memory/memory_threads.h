// The threads that map guests' memory, and unmap the memory that is replaced, while a front end waits for the
// reply. mmap() of a huge page file waits for the file's lock, which a front end holds for as long as its own
// fallocate() of that file takes. Memory whose end no front end waits for is unmapped by freeing_threads().
#pragma once

#include "core/base/blocking_threads.h"

namespace rxvhost {

/// The owner (`whose`) of a job is the driver that the device belongs to (Device::driver()).
BlockingThreads& memory_threads();

}  // namespace rxvhost
