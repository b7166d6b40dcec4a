// Unlinks socket files when a signal ends the process. Node runs neither hooks nor JavaScript when SIGTERM,
// SIGINT or SIGHUP ends it, so a signal handler does it: unlink(2) is safe there, and the handler also runs
// while JavaScript is in an endless loop or in a worker, which gets no signal events.
//
// The handler changes nothing else: it restores the former action and raises the signal again, so that the
// process ends with the same status. It replaces only the default action, or a one-shot handler, by which
// Node restores the terminal first. Signals that the application handles or ignores (nohup) are left alone.
#pragma once

#include <sys/types.h>

#include <string>

namespace rxvhost {

struct SocketFile;  // an entry of the handler's table

/// From now on a signal that ends the process unlinks `path`, if it still names this file. Returns null if
/// the path is too long for a socket.
SocketFile* remember_socket_file(const std::string& path, dev_t device, ino_t inode);
void forget_socket_file(SocketFile* file);

}  // namespace rxvhost
