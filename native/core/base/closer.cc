#include "core/base/closer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "core/base/blocking_threads.h"
#include "core/base/eventfd.h"
#include "core/base/limits.h"

namespace rxvhost {

namespace {

// An honest front end sends only memory files, eventfds and Unix sockets. The checks below make no call to a
// file system, because such a call could block.

// close() of the last fd of a memfd frees the memory. This can take long, but it always ends.
bool is_memory(int fd) { return fcntl(fd, F_GET_SEALS) >= 0; }

bool closes_at_once(int fd) {
  if (is_eventfd(fd)) return true;
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

// These threads do nothing else, so a close() that blocks does not delay other threads that map or free
// memory.
BlockingThreads& closers() {
  static BlockingThreads* threads = new BlockingThreads(kClosers, kClosers);
  return *threads;
}

std::atomic<int> to_free{0};

bool freed_elsewhere(int fd) {
  const bool room = to_free.fetch_add(1, std::memory_order_relaxed) < kMostToFree;
  if (room && freeing_threads().run(0, [fd] {
        close(fd);
        to_free.fetch_sub(1, std::memory_order_relaxed);
      }))
    return true;
  to_free.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool closed_elsewhere(int fd) {
  return !closes_at_once(fd) && closers().run(0, [fd] { close(fd); });
}

}  // namespace

void close_received(int fd) {
  const bool taken = is_memory(fd) ? freed_elsewhere(fd) : closed_elsewhere(fd);
  if (!taken) close(fd);
}

}  // namespace rxvhost
