// Threads for what can last for as long as somebody else likes: a call that waits for a file system, a lock
// that a peer's own call holds in the kernel, the freeing of a guest's whole memory. Nothing that serves
// other devices does such work itself. They come with the work and go when there is none for a while; one
// that is stuck for ever costs a thread and nothing else. Knows nothing of what it runs.
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

  /// `most` threads in all, and `most_each` of them for the jobs of one `whose`: who makes threads stick uses
  /// up its own and not those of others.
  BlockingThreads(size_t most, size_t most_each) : most_(most), most_each_(most_each) {}
  /// Never destroyed: a thread may be stuck in it for as long as the process lives.
  ~BlockingThreads() = delete;

  /// In the order in which they come, for each `whose`. What a job holds is let go on its thread as well.
  /// False if there is no thread and none can be made: it was not run, and is let go here.
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
  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  std::deque<Work> ready_;
  std::unordered_map<uint32_t, Share> shares_;  // of those who have work
  size_t threads_ = 0;
  size_t idle_ = 0;
};

/// For what ends by itself and can take a while: freeing a guest's memory, 50 ms for each GiB. Of all
/// drivers, and apart from what makes a guest wait: after a host full of guests has died they are busy for
/// minutes.
BlockingThreads& freeing_threads();

}  // namespace rxvhost
