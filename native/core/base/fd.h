// An owned file descriptor, closed by the destructor. An fd that a peer sent is closed by close_received().
#pragma once

#include <unistd.h>

#include <utility>

#include "core/base/closer.h"

namespace rxvhost {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  /// Owns an fd that came from a peer and can be a file of any type.
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
  /// Closes an fd whose file this process also holds by another fd, so that close() cannot block.
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
