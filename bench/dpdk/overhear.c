#define _GNU_SOURCE
#include "overhear.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_PORTS 8

enum { SET_FEATURES = 2, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_KICK = 12 };

// Begin of a vhost-user message, with the field sizes of the protocol.
struct message {
  uint32_t request, flags, size;
  union {
    uint64_t number;
    struct {
      uint32_t index, value;
    } state;
    struct {
      uint32_t index, flags;
      uint64_t desc, used, avail, log;
    } address;
  } body;
} __attribute__((packed));

static struct overheard_port ports[MAX_PORTS];
static unsigned count;

const struct overheard_port* overheard(unsigned n) { return n < count ? &ports[n] : NULL; }

static struct overheard_port* port_of(int socket) {
  for (unsigned n = 0; n < count; n++)
    if (ports[n].socket == socket) return &ports[n];
  if (count == MAX_PORTS) return NULL;
  ports[count].socket = socket;
  return &ports[count++];
}

static int fd_in(const struct msghdr* header) {
  const struct cmsghdr* control = CMSG_FIRSTHDR(header);
  int fd = -1;
  if (control != NULL && control->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(control), sizeof(fd));
  return fd;
}

static void note(int socket, const struct message* message, const struct msghdr* header) {
  struct overheard_port* port = port_of(socket);
  if (port == NULL) return;
  const uint32_t index = message->body.state.index & 0xff;
  struct overheard_ring* ring = index < OVERHEARD_RINGS ? &port->ring[index] : NULL;
  if (message->request == SET_FEATURES) port->features = message->body.number;
  if (ring == NULL) return;
  if (message->request == SET_VRING_NUM) ring->size = message->body.state.value;
  if (message->request == SET_VRING_KICK) ring->kick = fd_in(header);
  if (message->request != SET_VRING_ADDR) return;
  ring->desc = message->body.address.desc;
  ring->used = message->body.address.used;
  ring->avail = message->body.address.avail;
}

// Replaces libc's sendmsg() in this program, also for DPDK's drivers.
ssize_t sendmsg(int socket, const struct msghdr* header, int flags) {
  struct message message = {0};
  // Look only at messages that look like vhost-user, because DPDK processes send other messages to each
  // other.
  if (header->msg_name == NULL && header->msg_iovlen == 1 && header->msg_iov[0].iov_len >= 12 &&
      header->msg_iov[0].iov_len <= 4096) {
    const size_t size = header->msg_iov[0].iov_len;
    memcpy(&message, header->msg_iov[0].iov_base, size < sizeof(message) ? size : sizeof(message));
    if (message.size == size - 12) note(socket, &message, header);
  }
  return syscall(SYS_sendmsg, socket, header, flags);
}
