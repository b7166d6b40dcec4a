// Unlinks socket files when a signal ends the process. When SIGTERM, SIGINT or SIGHUP ends Node, it runs
// neither hooks nor JavaScript, so a signal handler unlinks the files. unlink(2) is safe in a signal handler.
// The handler also works while JavaScript is in an endless loop, and for sockets of a worker, which gets no
// signal events.
//
// The handler changes nothing else: it restores the former action and raises the signal again, so that the
// process ends with the same status. It replaces only the default action and one-shot handlers; Node uses a
// one-shot handler to restore the terminal. It does not touch signals that the application handles or ignores
// (nohup).
#pragma once

#include <sys/types.h>

#include <string>

namespace rxvhost {

struct SocketFile;  // an entry of the handler's table

/// Makes the handler unlink `path` when a signal ends the process, provided that `path` still names this
/// file. Returns null if the path is too long for a socket.
SocketFile* remember_socket_file(const std::string& path, dev_t device, ino_t inode);
void forget_socket_file(SocketFile* file);

}  // namespace rxvhost
