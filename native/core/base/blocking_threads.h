// Threads for calls that can block for an unlimited time. Examples are a call that waits for a file system, a
// call that needs a lock which a peer's system call holds in the kernel, and a call that frees the whole
// memory of a guest. A thread that serves devices never makes such calls. A thread is created when there is
// work and ends after some time without work. A job that blocks for ever costs one thread and nothing else.
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

  /// Creates at most `most` threads. At most `most_each` of them run jobs of one owner, so that an owner
  /// whose jobs block cannot use up all threads.
  BlockingThreads(size_t most, size_t most_each) : most_(most), most_each_(most_each) {}
  /// An object of this class is never destroyed, because a thread may block inside it until the process ends.
  ~BlockingThreads() = delete;

  /// Runs a job on one of the threads. The jobs of one owner start in the order of these calls. A job's
  /// captures are destroyed on the thread that ran it. Returns false if there is no thread and none can be
  /// created. In that case the job does not run, and the caller's thread destroys it.
  bool run(uint32_t owner, Job job);

 private:
  struct Work {
    uint32_t owner;
    Job job;
  };
  struct Share {
    size_t admitted = 0;  // ready or running
    std::deque<Job> waiting;
  };

  bool start();
  void loop();
  void admit_next(uint32_t owner);

  const size_t most_, most_each_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable wake_;
  std::deque<Work> ready_;
  std::unordered_map<uint32_t, Share> shares_;  // owners that have work
  size_t threads_ = 0;
  size_t idle_ = 0;
};

/// Threads that free guest memory, which is slow (about 50 ms per GiB) but always ends. All drivers share
/// these threads. They must not get work that a guest waits for: after many guests have ended at once, the
/// threads can be busy for minutes.
BlockingThreads& freeing_threads();

}  // namespace rxvhost
