#include "core/base/blocking_threads.h"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "core/base/limits.h"

namespace rxvhost {

bool BlockingThreads::run(uint32_t whose, Job job) {
  std::unique_lock lock(mutex_);
  Share& share = shares_[whose];
  if (share.admitted >= most_each_) {  // a running thread takes it later
    share.waiting.push_back(std::move(job));
    return true;
  }
  const bool spare = idle_ > ready_.size();
  if (!spare && threads_ < most_ && !start() && threads_ == 0) {
    shares_.erase(whose);
    return false;
  }
  share.admitted++;
  ready_.push_back({whose, std::move(job)});
  lock.unlock();  // so that the woken thread need not wait for the mutex
  if (spare) wake_.notify_one();
  return true;
}

// The caller holds the mutex. std::thread is not used: without exceptions it ends the process when no thread
// can be created.
bool BlockingThreads::start() {
  sigset_t all, old;
  // All signals are blocked here, so that other threads handle them. A job must not access guest memory: with
  // SIGBUS blocked, a missing page ends the process in spite of core/memory/sigbus_guard.
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
  pthread_setname_np(thread, "rx-vhost-wait");  // shown by ps and top
  pthread_detach(thread);
  threads_++;
  return true;
}

void BlockingThreads::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_++;
    const bool more = wake_.wait_for(lock, kBlockingThreadStays, [this] { return !ready_.empty(); });
    idle_--;
    if (!more) break;
    Work work = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    work.job();
    work.job = nullptr;  // destroying what the job captured can block too
    lock.lock();
    admit_next(work.whose);
  }
  threads_--;
}

// The caller holds the mutex, and its thread looks for work next.
void BlockingThreads::admit_next(uint32_t whose) {
  const auto at = shares_.find(whose);
  Share& share = at->second;
  if (!share.waiting.empty()) {
    ready_.push_back({whose, std::move(share.waiting.front())});
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
