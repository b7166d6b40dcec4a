#include "core/virtqueue/notifier.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <thread>

#include <poll.h>
#include <pthread.h>

#include "core/base/limits.h"

namespace rxvhost {

namespace {

// SIGURG is ignored by default, and Node does not use it. A handler without SA_RESTART makes a blocked write
// return EINTR.
constexpr int kInterrupt = SIGURG;

struct Caller {
  std::atomic<uint64_t> started{0};  // incremented before and after each write: odd during a write
  uint64_t seen = 0;                 // the watchdog's last look at it
  pthread_t thread{};
  Caller* next = nullptr;
};

// Never destroyed: a write may be in progress while the process exits.
struct Watchdog {
  std::mutex mutex;
  std::condition_variable wake;
  Caller* callers = nullptr;
  std::atomic<bool> asleep{false};
  bool running = false;

  static Watchdog& get() {
    static Watchdog* watchdog = new Watchdog;
    return *watchdog;
  }

  void add(Caller* caller) {
    std::lock_guard lock(mutex);
    caller->thread = pthread_self();
    caller->next = callers;
    callers = caller;
    if (running) return;
    running = true;
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};
    if (sigaction(kInterrupt, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction(kInterrupt, &action, nullptr);
    sigset_t all, old;
    sigfillset(&all);  // signals are for the threads of the application
    pthread_sigmask(SIG_SETMASK, &all, &old);
    std::thread([this] { watch(); }).detach();
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  }

  void remove(Caller* caller) {
    std::lock_guard lock(mutex);
    for (Caller** at = &callers; *at; at = &(*at)->next)
      if (*at == caller) {
        *at = caller->next;
        return;
      }
  }

  // `asleep` changes under the mutex: otherwise it could change between the watchdog's check and its sleep,
  // and the only wake-up would be lost.
  void rouse() {
    {
      std::lock_guard lock(mutex);
      asleep.store(false);
    }
    wake.notify_one();
  }

  void watch() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait_for(lock, std::chrono::milliseconds(kCallDeadlineMs));
      bool active = false;
      for (Caller* c = callers; c; c = c->next) {
        const uint64_t now = c->started.load();
        if (now & 1 && now == c->seen) pthread_kill(c->thread, kInterrupt);
        if (now != c->seen || now & 1) active = true;
        c->seen = now;
      }
      if (active) continue;
      // No thread wrote for a whole interval: sleep until one does. The watchdog sets `asleep` and then looks
      // at the counts; a caller changes its count and then looks at `asleep`. So one of them sees the other.
      asleep.store(true);
      bool quiet = true;
      for (Caller* c = callers; c; c = c->next) quiet = quiet && c->started.load() == c->seen;
      if (quiet) wake.wait(lock, [this] { return !asleep.load(); });
      asleep.store(false);
    }
  }
};

struct ThreadCaller : Caller {
  ThreadCaller() { Watchdog::get().add(this); }
  ~ThreadCaller() { Watchdog::get().remove(this); }
};

}  // namespace

NotifyResult notify(const Fd& eventfd) {
  pollfd question{eventfd.get(), POLLOUT, 0};
  if (poll(&question, 1, 0) == 0) return NotifyResult::already_pending;
  return write_watched(eventfd);
}

NotifyResult write_watched(const Fd& eventfd) {
  thread_local ThreadCaller caller;
  Watchdog& watchdog = Watchdog::get();
  caller.started.fetch_add(1);
  if (watchdog.asleep.load()) watchdog.rouse();
  const uint64_t one = 1;
  const ssize_t n = write(eventfd.get(), &one, sizeof one);
  const int error = errno;
  caller.started.fetch_add(1);
  if (n == static_cast<ssize_t>(sizeof one)) return NotifyResult::sent;
  if (error == EAGAIN)
    return NotifyResult::already_pending;  // the counter is at its maximum: the peer has not read it yet
  return error == EINTR ? NotifyResult::stuck : NotifyResult::failed;
}

}  // namespace rxvhost
