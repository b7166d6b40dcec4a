#include "core/base/closer.h"

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/eventfd.h"
#include "core/base/limits.h"

namespace rxvhost {

namespace {

// What front ends send in earnest: memory, notifiers and sockets like the one that they came by. None of
// these questions goes to a file system.
bool closes_at_once(int fd) {
  if (fcntl(fd, F_GET_SEALS) >= 0 || is_eventfd(fd)) return true;
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

// Never destroyed: a thread of it may be stuck for as long as the process lives.
class Closer {
 public:
  static Closer& get() {
    static Closer* closer = new Closer;
    return *closer;
  }

  void add(int fd) {
    std::lock_guard lock(mutex_);
    fds_.push_back(fd);
    if (idle_ >= fds_.size())
      wake_.notify_one();
    else if (threads_ < kClosers)
      start();
  }

 private:
  // Under the mutex.
  void start() {
    sigset_t all, old;
    sigfillset(&all);  // the process's signals are for its own threads
    pthread_sigmask(SIG_SETMASK, &all, &old);
    std::thread([this] { run(); }).detach();
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    threads_++;
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      idle_++;
      const bool more = wake_.wait_for(lock, kCloserStays, [this] { return !fds_.empty(); });
      idle_--;
      if (!more) break;
      const int fd = fds_.front();
      fds_.pop_front();
      lock.unlock();
      close(fd);
      lock.lock();
    }
    threads_--;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<int> fds_;
  size_t threads_ = 0;
  size_t idle_ = 0;
};

}  // namespace

void close_received(int fd) {
  if (closes_at_once(fd))
    close(fd);
  else
    Closer::get().add(fd);
}

}  // namespace rxvhost
