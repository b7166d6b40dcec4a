// Closes file descriptors that a peer sent, without blocking the caller. close() can block for an unlimited
// time: FUSE waits for its server and cannot be interrupted, a TCP socket with SO_LINGER waits for its peer,
// and a terminal waits until its output is written. The last close() of a memory file frees the memory, which
// takes about 50 ms per GiB. The calling thread serves other devices too, so a close() that can block runs on
// another thread.
#pragma once

namespace rxvhost {

/// Closes an fd that came from a peer: at once if close() cannot block, otherwise later on another thread. If
/// kMostToFree memory files already wait to be closed, the caller's thread closes any further memory file.
void close_received(int fd);

}  // namespace rxvhost
