#include "core/memory/memory_threads.h"

#include "core/base/limits.h"

namespace rxvhost {

BlockingThreads& memory_threads() {
  static BlockingThreads* threads = new BlockingThreads(kMemoryThreads, kMemoryThreadsEach);
  return *threads;
}

}  // namespace rxvhost
