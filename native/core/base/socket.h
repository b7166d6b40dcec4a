// Unix stream sockets that carry file descriptors: what the control plane's transport stands on, since Node's
// `net` can't receive fds. Every call is non-blocking and answers a negative errno; nothing here knows a
// message. A received fd is close-on-exec from the moment that it exists, so that no child process inherits
// it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/limits.h"
#include "core/base/signal_unlink.h"

namespace rxvhost {

/// The kernel's SCM_MAX_FD: no peer can attach more to one message, so none is ever cut off for want of room.
constexpr size_t kMaxReceivedFds = 253;

/// A path that a listener is bound to, and the file that bind() made there. Unlinks it when it goes, unless
/// the path names another file by then: what another process put in its place is not ours to remove. A signal
/// that ends the process unlinks it as well.
class BoundPath {
 public:
  BoundPath() = default;
  BoundPath(std::string path, dev_t device, ino_t inode);
  BoundPath(BoundPath&& other) noexcept { *this = std::move(other); }
  BoundPath& operator=(BoundPath&& other) noexcept {
    if (this == &other) return *this;
    unlink();
    path_ = std::exchange(other.path_, {});
    device_ = other.device_;
    inode_ = other.inode_;
    remembered_ = std::exchange(other.remembered_, nullptr);
    return *this;
  }
  ~BoundPath() { unlink(); }

  const std::string& path() const { return path_; }
  void unlink();

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  SocketFile* remembered_ = nullptr;
};

/// Who may connect: what the socket file gets before it is listened on, -1 = as umask and process have it.
struct SocketAccess {
  int32_t mode = -1;
  int32_t group = -1;
};

/// Binds and listens. A socket file that nobody listens on is replaced; -EADDRINUSE when a live server
/// answers, -ENOTSOCK when the path names anything but a socket, which is never touched.
int listen_unix(const std::string& path, int backlog, const SocketAccess& access, Fd& listener,
                BoundPath& bound);
int connect_unix(const std::string& path, Fd& socket);
int accept_unix(int listener, Fd& socket);
/// 0 if `fd` is a Unix stream socket, 1 if it listens; makes it non-blocking and close-on-exec.
int adopt_unix(int fd);

struct PeerCredentials {
  int32_t pid = 0;
  int32_t uid = 0;
  int32_t gid = 0;
};
int peer_credentials(int socket, PeerCredentials& out);

enum class Ancillary {
  complete,   // `fds` has all that were sent
  truncated,  // some were lost (an LSM, a control buffer too small); `fds` is empty, the others are closed
  exhausted,  // some were lost because this process is out of fds; likewise
};

struct Received {
  ssize_t bytes = 0;  // 0 = the peer closed; negative errno
  Ancillary ancillary = Ancillary::complete;
  std::vector<Fd> fds;
};
/// One recvmsg(). fds of any count and number of control messages are collected or closed, never leaked.
Received receive(int socket, std::span<uint8_t> into);
/// One sendmsg() with fds on its first byte. Bytes taken, or a negative errno (-EAGAIN: none, fds not sent).
ssize_t send(int socket, std::span<const uint8_t> bytes, std::span<const int> fds);

}  // namespace rxvhost
