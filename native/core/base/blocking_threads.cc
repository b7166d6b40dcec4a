#include "core/base/blocking_threads.h"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "core/base/limits.h"

namespace rxvhost {

bool BlockingThreads::run(uint32_t owner, Job job) {
  std::unique_lock lock(mutex_);
  Share& share = shares_[owner];
  if (share.admitted >= most_each_) {  // admit_next() makes the job ready when an earlier one has ended
    share.waiting.push_back(std::move(job));
    return true;
  }
  const bool spare = idle_ > ready_.size();
  if (!spare && threads_ < most_ && !start() && threads_ == 0) {
    shares_.erase(owner);
    return false;
  }
  share.admitted++;
  ready_.push_back({owner, std::move(job)});
  lock.unlock();  // before notify_one(): otherwise the woken thread would have to wait for the mutex
  if (spare) wake_.notify_one();
  return true;
}

// The caller holds the mutex. This function does not use std::thread: in a build without exceptions,
// std::thread ends the process when no thread can be created.
bool BlockingThreads::start() {
  sigset_t all, old;
  // The new thread blocks all signals, so that other threads handle them. A job must not access guest memory:
  // on a thread that blocks SIGBUS, a missing page ends the process, and core/memory/sigbus_guard cannot
  // help.
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  const auto main = [](void* self) -> void* {
    static_cast<BlockingThreads*>(self)->loop();
    return nullptr;
  };
  const bool started = pthread_create(&thread, nullptr, main, this) == 0;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (!started) return false;
  pthread_setname_np(thread, "rx-vhost-wait");  // the name that ps and top show
  pthread_detach(thread);
  threads_++;
  return true;
}

void BlockingThreads::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_++;
    const bool more = wake_.wait_for(lock, kBlockingThreadIdle, [this] { return !ready_.empty(); });
    idle_--;
    if (!more) break;
    Work work = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    work.job();
    work.job = nullptr;  // the destructors of the job's captures can block too
    lock.lock();
    admit_next(work.owner);
  }
  threads_--;
}

// The caller holds the mutex and looks for ready work afterwards, so no other thread has to be woken.
void BlockingThreads::admit_next(uint32_t owner) {
  const auto at = shares_.find(owner);
  Share& share = at->second;
  if (!share.waiting.empty()) {
    ready_.push_back({owner, std::move(share.waiting.front())});
    share.waiting.pop_front();
  } else if (--share.admitted == 0) {
    shares_.erase(at);
  }
}

BlockingThreads& freeing_threads() {
  static BlockingThreads* threads = new BlockingThreads(kFreeingThreads, kFreeingThreads);
  return *threads;
}

}  // namespace rxvhost
