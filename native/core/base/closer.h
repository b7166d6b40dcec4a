// Closes what a peer sent without waiting for it. close() can last as long as somebody else likes: FUSE asks
// its server first and takes no signal meanwhile, a TCP socket lingers, a terminal drains, and the last
// fd of a memory file frees it, which takes 50 ms for each GiB. Whatever a front end sends has to be closed
// in the end, and the threads that do it serve other devices as well. So what could last is closed by a
// thread that has nothing else to do.
#pragma once

namespace rxvhost {

/// Of an fd that came from a peer. The number is free at once if nothing can last, and soon in any case:
/// memory beyond what may wait for the threads (kMostToFree) is freed by the caller.
void close_received(int fd);

}  // namespace rxvhost
