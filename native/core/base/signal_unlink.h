// Socket files that a signal which ends the process takes with it. Node runs neither hooks nor JavaScript
// when SIGTERM, SIGINT or SIGHUP kill it, so the one place left is the signal's own handler: unlink(2) is
// allowed there, and it also runs while JavaScript is in an endless loop, or in a worker, which has no signal
// events.
//
// The handler changes nothing else: it puts the former action back and raises the signal again, so that the
// process ends as it would have, with the same status. It takes the place of the default action only (or of a
// one-shot handler, which is how Node itself restores the terminal before the default): whoever handles a
// signal decides what becomes of the process, and one that ignores it (nohup) goes on being ignored.
#pragma once

#include <sys/types.h>

#include <string>

namespace rxvhost {

struct SocketFile;  // an entry of the handler's table

/// From now on an ending signal unlinks `path`, if it still names that file. Null for a path that no socket
/// can have.
SocketFile* remember_socket_file(const std::string& path, dev_t device, ino_t inode);
void forget_socket_file(SocketFile* file);

}  // namespace rxvhost
