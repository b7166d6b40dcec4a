// Closes file descriptors that a peer sent, without waiting. close() can block without limit: FUSE waits for
// its server and cannot be interrupted, a TCP socket with SO_LINGER waits for its peer, a terminal drains its
// output, and closing the last fd of a memory file frees the memory, about 50 ms per GiB. The calling thread
// serves other devices too, so a close() that can block runs on a thread of its own.
#pragma once

namespace rxvhost {

/// Closes an fd that came from a peer: at once if close() cannot block, otherwise later on another thread. If
/// kMostToFree memory files already wait for the threads, the caller's thread closes the next one.
void close_received(int fd);

}  // namespace rxvhost
