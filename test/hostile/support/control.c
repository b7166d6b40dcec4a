// Sends one vhost-user message with control data that Node has no call for: `control HOW FD HEX [FD...]`, where the message
// HEX goes out of the socket FD, with the other fds. Or sets up a socket to add control data to whatever it receives, as the
// process might find it that inherits it: `control ask FD`. No output; status 0 if it was done.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static char control[1024];
static size_t used;

static void add(int type, const void *data, size_t length) {
  struct cmsghdr *block = (struct cmsghdr *)(control + used);
  block->cmsg_level = SOL_SOCKET;
  block->cmsg_type = type;
  block->cmsg_len = CMSG_LEN(length);
  if (length > 0) memcpy(CMSG_DATA(block), data, length);
  used += CMSG_SPACE(length);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *how = argv[1];
  const int socket = atoi(argv[2]);
  if (strcmp(how, "ask") == 0) {
    const int on = 1;
    // A kernel before 6.5 has no pidfds to add.
    setsockopt(socket, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on);
    return setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0;
  }
  unsigned char message[512];
  size_t length = 0;
  for (const char *hex = argv[3]; hex[0] && length < sizeof message; hex += 2) {
    unsigned byte;
    if (sscanf(hex, "%2x", &byte) != 1) return 2;
    message[length++] = (unsigned char)byte;
  }
  const struct ucred self = {getpid(), getuid(), getgid()};
  if (strcmp(how, "credentials") == 0) add(SCM_CREDENTIALS, &self, sizeof self);
  // No fds in a block of their own: as good as no block.
  if (strcmp(how, "empty") == 0) add(SCM_RIGHTS, NULL, 0);
  for (int n = 4; n < argc; n++) {
    const int fd = atoi(argv[n]);
    add(SCM_RIGHTS, &fd, sizeof fd);
  }
  struct iovec part = {message, length};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = used};
  return sendmsg(socket, &header, MSG_NOSIGNAL) != (ssize_t)length;
}
