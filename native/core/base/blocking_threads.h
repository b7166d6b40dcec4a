// Threads for calls that can block without limit: a call that waits for a file system, a lock that a peer's
// system call holds in the kernel, or freeing the whole memory of a guest. Threads that serve other devices
// never make such calls. A thread is created when there is work and ends after some time without work. A job
// that blocks for ever costs one thread and nothing else.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace rxvhost {

class BlockingThreads {
 public:
  using Job = std::function<void()>;

  /// At most `most` threads, of which at most `most_each` run jobs of one owner (`whose`). An owner whose
  /// jobs block cannot use up the threads of other owners.
  BlockingThreads(size_t most, size_t most_each) : most_(most), most_each_(most_each) {}
  /// Never destroyed: a thread may be stuck in it for as long as the process lives.
  ~BlockingThreads() = delete;

  /// Runs the jobs of one owner in the order of these calls. What a job captured is destroyed on its thread.
  /// Returns false if there is no thread and none can be created: the job has not run, and the caller's
  /// thread destroys it.
  bool run(uint32_t whose, Job job);

 private:
  struct Work {
    uint32_t whose;
    Job job;
  };
  struct Share {
    size_t admitted = 0;  // ready or running
    std::deque<Job> waiting;
  };

  bool start();
  void loop();
  void admit_next(uint32_t whose);

  const size_t most_, most_each_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable wake_;
  std::deque<Work> ready_;
  std::unordered_map<uint32_t, Share> shares_;  // owners that have work
  size_t threads_ = 0;
  size_t idle_ = 0;
};

/// Threads for slow work that always ends: freeing guest memory, which takes about 50 ms per GiB. All drivers
/// share them. They do no work that a guest waits for, since they can be busy for minutes after many guests
/// have ended at once.
BlockingThreads& freeing_threads();

}  // namespace rxvhost
