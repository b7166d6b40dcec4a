// Unix stream sockets that carry file descriptors, for the transport of the control plane: Node's `net` can't
// receive fds. No call blocks, and each returns a negative errno on failure. A received fd is close-on-exec
// from the start, so that no child process inherits it.
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

/// The kernel's SCM_MAX_FD: no peer can attach more fds to one message, so there is always room for all.
constexpr size_t kMaxReceivedFds = 253;

/// The path that a listener is bound to, and the file that bind() made there. The destructor unlinks the
/// file, unless the path names another file by then, which belongs to another process. A signal that ends the
/// process unlinks it, too.
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

/// Who may connect: mode and group of the socket file, set before listen(). -1 leaves what the umask and the
/// process gave it.
struct SocketAccess {
  int32_t mode = -1;
  int32_t group = -1;
};

/// Binds and listens. A stale socket file is replaced. -EADDRINUSE: a live server has the path. -ENOTSOCK:
/// the path names a file of another kind, which is not touched.
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
  complete,   // `fds` has every fd that was sent
  truncated,  // some fds were lost (an LSM, a small control buffer); the others are closed, `fds` is empty
  exhausted,  // some were lost since this process has no fds left; likewise
};

struct Received {
  ssize_t bytes = 0;  // 0 = the peer closed; negative errno
  Ancillary ancillary = Ancillary::complete;
  std::vector<Fd> fds;
};
/// One recvmsg(). All fds, in any number of control messages, are returned or closed.
Received receive(int socket, std::span<uint8_t> into);
/// One sendmsg(), the fds attached to its first byte. Returns the number of bytes sent, or a negative errno
/// (-EAGAIN: neither bytes nor fds were sent).
ssize_t send(int socket, std::span<const uint8_t> bytes, std::span<const int> fds);

}  // namespace rxvhost
