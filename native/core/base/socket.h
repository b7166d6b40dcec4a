// Unix stream sockets that carry file descriptors. The transport of the control plane uses them because
// Node's `net` can't receive fds. No call blocks. On failure, each call returns a negative errno. Received
// fds are close-on-exec from the start, so that no child process inherits them.
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

/// The kernel's SCM_MAX_FD. No peer can attach more fds to one message, so a buffer of this size has room for
/// all.
constexpr size_t kMaxReceivedFds = 253;

/// The path that a listener is bound to, and the file that bind() made there. The destructor unlinks the path
/// if it still names that file; a different file belongs to another process. When a signal ends the process,
/// the path is unlinked in the same way.
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

/// Mode and group of the socket file, which decide who may connect. They are set before listen(). -1 means
/// the default: the mode that the umask gives, or the group of the process.
struct SocketAccess {
  int32_t mode = -1;
  int32_t group = -1;
};

/// Binds a socket and listens on it. Replaces a stale socket file. Returns -EADDRINUSE if a live server uses
/// the path. Returns -ENOTSOCK if the path names a file of another type, which is not touched.
int listen_unix(const std::string& path, int backlog, const SocketAccess& access, Fd& listener,
                BoundPath& bound);
int connect_unix(const std::string& path, Fd& socket);
int accept_unix(int listener, Fd& socket);
/// Makes a Unix stream socket non-blocking and close-on-exec. Returns 1 if it listens, otherwise 0.
int adopt_unix(int fd);

struct PeerCredentials {
  int32_t pid = 0;
  int32_t uid = 0;
  int32_t gid = 0;
};
int peer_credentials(int socket, PeerCredentials& out);

enum class Ancillary {
  complete,   // `fds` has every fd that was sent
  truncated,  // an LSM or a small control buffer lost some fds; the others are closed, and `fds` is empty
  exhausted,  // some fds were lost because this process has no free fd; the others are closed, and `fds` is
              // empty
};

struct Received {
  ssize_t bytes = 0;  // 0: the peer closed the connection; negative: an errno
  Ancillary ancillary = Ancillary::complete;
  std::vector<Fd> fds;
};
/// Makes one recvmsg() call. Returns or closes all fds, in however many control messages they arrive.
Received receive(int socket, std::span<uint8_t> into);
/// Makes one sendmsg() call, with the fds attached to the first byte. Returns the number of bytes sent, or a
/// negative errno. After -EAGAIN, neither bytes nor fds were sent.
ssize_t send(int socket, std::span<const uint8_t> bytes, std::span<const int> fds);

}  // namespace rxvhost
