#include "core/base/blocking_threads.h"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "core/base/limits.h"

namespace rxvhost {

bool BlockingThreads::run(uint32_t whose, Job job) {
  std::unique_lock lock(mutex_);
  Share& share = shares_[whose];
  if (share.admitted >= most_each_) {  // so there are threads, and one of them comes back to it
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
  lock.unlock();  // or it would wake up only to wait for us
  if (spare) wake_.notify_one();
  return true;
}

// Under the mutex. Not by std::thread, which ends the process when there is no room for one more.
bool BlockingThreads::start() {
  sigset_t all, old;
  // The process's signals are for its own threads. No job may touch a guest's byte: with SIGBUS blocked, a
  // page that is missing ends the process, whatever core/memory/sigbus_guard would make of it.
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
  pthread_setname_np(thread, "rx-vhost-wait");  // for whoever looks at this process's threads
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
    work.job = nullptr;  // and what it held, which may be what lasts
    lock.lock();
    admit_next(work.whose);
  }
  threads_--;
}

// Under the mutex, by a thread that now looks for work itself.
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
