// An owned file descriptor. The destructor closes it, with close_received() if a peer sent the fd.
#pragma once

#include <unistd.h>

#include <utility>

#include "core/base/closer.h"

namespace rxvhost {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  /// Takes ownership of an fd that came from a peer. Such an fd can be a file of any type.
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
  /// Closes the fd on the calling thread. The file must also be open or mapped elsewhere in this process:
  /// then this is not its last close(), and close() cannot block.
  void close_now() {
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
