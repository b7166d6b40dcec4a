// Helpers with which tests of threads wait: a gate that blocks threads, and a count. Tests never wait for a
// time.
#pragma once

#include <condition_variable>
#include <mutex>

namespace rxvhost::test {

/// Blocks each job that calls pass() until the test calls open().
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    inside_++;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void until_inside(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }
  int inside() {
    std::lock_guard lock(mutex_);
    return inside_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

/// A counter. The test waits until it has reached a value.
class Count {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    count_++;
    changed_.notify_all();
  }
  void until(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace rxvhost::test
