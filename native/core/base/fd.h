// An owned file descriptor. Closing is the only thing it does; what an fd is for is its user's business. One
// that a peer sent is closed with care.
#pragma once

#include <unistd.h>

#include <utility>

#include "core/base/closer.h"

namespace rxvhost {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  /// One that came from a peer, and may be anything.
  static Fd received(int fd) {
    Fd it(fd);
    it.received_ = true;
    return it;
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), received_(other.received_) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
      received_ = other.received_;
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// What somebody else of this process keeps open as well, so that closing it can't last.
  void close_kept() {
    if (fd_ >= 0) ::close(release());
  }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ < 0) return;
    const int fd = std::exchange(fd_, -1);
    if (received_)
      close_received(fd);
    else
      ::close(fd);
  }

 private:
  int fd_ = -1;
  bool received_ = false;
};

}  // namespace rxvhost
