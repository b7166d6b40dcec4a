#include "core/base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace rxvhost {

namespace {

// Refuses a path that contains '\0'. Inside a path, '\0' would silently end the path early. At its start,
// '\0' would name a socket of the abstract namespace, which has neither a file nor permissions.
int address_of(const std::string& path, sockaddr_un& address) {
  if (path.empty() || path.find('\0') != std::string::npos) return -EINVAL;
  if (path.size() > kMaxSocketPath) return -ENAMETOOLONG;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  return 0;
}

int open_socket(Fd& out) {
  out = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return out ? 0 : -errno;
}

int connect_to(int socket, const sockaddr_un& address) {
  while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    if (errno != EINTR) return -errno;
  return 0;
}

// A lock on the socket's folder prevents two races between processes that use this function, and it leaves no
// lock file. First race: between the bind() and the listen() of a live server, connect() takes its socket for
// a stale file. Second race: two processes that found the same stale file could unlink each other's new file.
// Other programs may also hold this lock, so the wait is limited, and it is no error if the lock is not
// obtained.
Fd lock_folder_of(const std::string& path) {
  constexpr int kTries = 1000;
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fd;
  for (int i = 0; i < kTries && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; i++) sched_yield();
  return fd;
}

/// Removes a stale socket file at `path`. Returns 0 if `path` no longer exists, -EADDRINUSE if a live server
/// uses it, -ENOTSOCK if it is no socket, or another negative errno.
int remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) return errno == ENOENT ? 0 : -errno;
  if (!S_ISSOCK(found.st_mode)) return -ENOTSOCK;
  // Probe with a datagram socket, so that a live server gets no connection. A bound stream socket refuses it
  // with EPROTOTYPE, even before its server listens or when its backlog is full.
  const Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return -errno;
  const int answer = connect_to(probe.get(), address);
  if (answer == -ENOENT) return 0;
  if (answer == 0 || answer == -EPROTOTYPE) return -EADDRINUSE;
  if (answer != -ECONNREFUSED) return answer;
  struct stat now;
  if (::lstat(path.c_str(), &now) != 0) return errno == ENOENT ? 0 : -errno;
  if (now.st_dev != found.st_dev || now.st_ino != found.st_ino) return -EADDRINUSE;
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : -errno;
}

// SCM_PIDFD of Linux 6.5, which older headers do not define.
constexpr int kScmPidfd = 4;

void collect_fds(msghdr& header, std::vector<Fd>& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    const bool pidfd = c->cmsg_type == kScmPidfd;
    if (c->cmsg_level != SOL_SOCKET || (c->cmsg_type != SCM_RIGHTS && !pidfd)) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int number;
      memcpy(&number, CMSG_DATA(c) + i * sizeof number, sizeof number);
      Fd fd = Fd::received(number);
      // With SO_PASSPIDFD the kernel adds a pidfd to every read. We do not use the pidfd, but `fd` closes it.
      if (!pidfd) fds.push_back(std::move(fd));
    }
  }
}

bool out_of_fds(int any_fd) {
  Fd probe(::fcntl(any_fd, F_DUPFD_CLOEXEC, 0));
  return !probe && (errno == EMFILE || errno == ENFILE);
}

}  // namespace

BoundPath::BoundPath(std::string path, dev_t device, ino_t inode)
    : path_(std::move(path)),
      device_(device),
      inode_(inode),
      remembered_(remember_socket_file(path_, device, inode)) {}

void BoundPath::unlink() {
  if (path_.empty()) return;
  struct stat now;
  if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_)
    ::unlink(path_.c_str());
  forget_socket_file(std::exchange(remembered_, nullptr));
  path_.clear();
}

int listen_unix(const std::string& path, int backlog, const SocketAccess& access, Fd& listener,
                BoundPath& bound) {
  sockaddr_un address;
  if (int error = address_of(path, address); error) return error;
  const Fd lock = lock_folder_of(path);
  if (int error = remove_stale(path, address); error) return error;
  Fd socket;
  if (int error = open_socket(socket); error) return error;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -errno;
  struct stat made;
  if (::lstat(path.c_str(), &made) != 0) return -errno;
  BoundPath ours(path, made.st_dev, made.st_ino);
  // Nobody can connect before listen(), so it does no harm that the umask sets the permissions until then.
  if (access.group >= 0 &&
      ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(access.group)) != 0)
    return -errno;
  if (access.mode >= 0 && ::chmod(path.c_str(), static_cast<mode_t>(access.mode)) != 0) return -errno;
  if (::listen(socket.get(), backlog) != 0) return -errno;
  listener = std::move(socket);
  bound = std::move(ours);
  return 0;
}

int connect_unix(const std::string& path, Fd& socket) {
  sockaddr_un address;
  if (int error = address_of(path, address); error) return error;
  Fd made;
  if (int error = open_socket(made); error) return error;
  if (int error = connect_to(made.get(), address); error) return error;
  socket = std::move(made);
  return 0;
}

int accept_unix(int listener, Fd& socket) {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      socket = Fd(fd);
      return 0;
    }
    if (errno != EINTR && errno != ECONNABORTED) return -errno;
  }
}

int adopt_unix(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return -errno;
  size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  if (domain != AF_UNIX || type != SOCK_STREAM) return -EPROTOTYPE;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return -errno;
  int listens = 0;
  size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return -errno;
  return listens != 0;
}

int peer_credentials(int socket, PeerCredentials& out) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -errno;
  out = {peer.pid, static_cast<int32_t>(peer.uid), static_cast<int32_t>(peer.gid)};
  return 0;
}

Received receive(int socket, std::span<uint8_t> into) {
  // `control` has room for all fds, and for other control messages that socket options may add before the
  // fds.
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxReceivedFds * sizeof(int)) + 256];
  iovec part{into.data(), into.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  Received result;
  do {
    result.bytes = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (result.bytes < 0 && errno == EINTR);
  if (result.bytes < 0) {
    result.bytes = -errno;
    return result;
  }
  collect_fds(header, result.fds);
  if (header.msg_flags & MSG_CTRUNC) {
    // Find the cause before the fds that did arrive are closed. Afterwards fds are free, so the cause is
    // hidden.
    result.ancillary = out_of_fds(socket) ? Ancillary::exhausted : Ancillary::truncated;
    result.fds.clear();
  }
  return result;
}

ssize_t send(int socket, std::span<const uint8_t> bytes, std::span<const int> fds) {
  if (fds.size() > kMaxReceivedFds) return -EINVAL;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxReceivedFds * sizeof(int))];
  iovec part{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    memset(control, 0, sizeof control);
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

}  // namespace rxvhost
