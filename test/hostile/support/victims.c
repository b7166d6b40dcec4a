// Front ends to be killed, a thousand within seconds: a process each, but one that costs a fork and not the start of
// Node. Makes one for each line on its standard input and answers with its pid on a line: a letter that says what it does
// once its device runs ('n' nothing, 's' sends frames, 'r' has posted buffers), and the path of the socket.
// Written against the specifications alone (vhost-user, "Message types"; virtio 1.2 §2.7), with nothing of src/guest or
// native/guest in it.
#define _GNU_SOURCE
#include <linux/virtio_ring.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9 };
enum { SET_VRING_BASE = 10, SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15 };
enum { SET_PROTOCOL_FEATURES = 16, SET_VRING_ENABLE = 18 };
enum { TO_GUEST, FROM_GUEST };
enum { SIZE = 64, BUFFER = 2048, FRAME = 12 + 60, RINGS = 8192, BYTES = RINGS + 2 * SIZE * BUFFER };

#define GUEST_ADDRESS 0x100000000u
#define USER_ADDRESS 0x7f0000000000u
#define FEATURES (UINT64_C(1) << 32 | UINT64_C(1) << 30)  // VERSION_1, PROTOCOL_FEATURES

static int to_back_end;
static uint8_t *memory;
static int memory_fd, kicks[2], calls[2];

static struct vring_desc *descriptors(int ring) { return (struct vring_desc *)(memory + ring * 4096); }
static struct vring_avail *available(int ring) { return (struct vring_avail *)(memory + ring * 4096 + 1024); }
static struct vring_used *used(int ring) { return (struct vring_used *)(memory + ring * 4096 + 2048); }

static void fail(const char *what) {
  dprintf(1, "failed: %s\n", what);
  _exit(1);
}

static void put(const void *bytes, size_t size, int fd) {
  struct iovec piece = {(void *)bytes, size};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  if (sendmsg(to_back_end, &message, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
}

// Header and body apart, so that some die between the two.
static void tell(uint32_t request, const void *body, uint32_t size, int fd) {
  const uint32_t header[3] = {request, 1, size};
  put(header, sizeof header, fd);
  sched_yield();
  if (size > 0) put(body, size, -1);
}

static uint64_t ask(uint32_t request) {
  struct __attribute__((packed)) {
    uint32_t header[3];
    uint64_t value;
  } reply;
  tell(request, NULL, 0, -1);
  if (recv(to_back_end, &reply, sizeof reply, MSG_WAITALL) != sizeof reply) fail("no answer");
  return reply.value;
}

static void start(int ring) {
  const uint32_t size[2] = {ring, SIZE}, base[2] = {ring, 0}, enable[2] = {ring, 1};
  const uint64_t index = ring, at = USER_ADDRESS + ring * 4096;
  const uint64_t addresses[5] = {index, at, at + 2048, at + 1024, 0};
  tell(SET_VRING_NUM, size, sizeof size, -1);
  tell(SET_VRING_BASE, base, sizeof base, -1);
  tell(SET_VRING_ADDR, addresses, sizeof addresses, -1);
  tell(SET_VRING_KICK, &index, sizeof index, kicks[ring]);
  tell(SET_VRING_CALL, &index, sizeof index, calls[ring]);
  tell(SET_VRING_ENABLE, enable, sizeof enable, -1);
}

static void make_memory(void) {
  memory_fd = memfd_create("victim", MFD_CLOEXEC);
  if (memory_fd < 0 || ftruncate(memory_fd, BYTES) != 0) fail("memfd");
  memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  if (memory == MAP_FAILED) fail("mmap");
  for (int ring = 0; ring < 2; ring++) {
    kicks[ring] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    calls[ring] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < SIZE; i++) {
      const uint64_t at = GUEST_ADDRESS + RINGS + (uint64_t)(ring * SIZE + i) * BUFFER;
      descriptors(ring)[i] = ring == TO_GUEST ? (struct vring_desc){at, BUFFER, VRING_DESC_F_WRITE, 0}
                                              : (struct vring_desc){at, FRAME, 0, 0};
      available(ring)->ring[i] = i;
    }
  }
}

static void publish(int ring, uint16_t index) {
  const uint64_t one = 1;
  __atomic_store_n(&available(ring)->idx, index, __ATOMIC_RELEASE);
  if (write(kicks[ring], &one, sizeof one) < 0) sched_yield();  // the count is at its top: nobody looks
}

static _Noreturn void live(const char *path, char what) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  to_back_end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(to_back_end, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  make_memory();
  tell(SET_OWNER, NULL, 0, -1);
  if ((ask(GET_FEATURES) & FEATURES) != FEATURES) fail("features");
  ask(GET_PROTOCOL_FEATURES);
  const uint64_t none = 0, features = FEATURES;
  tell(SET_PROTOCOL_FEATURES, &none, sizeof none, -1);
  tell(SET_FEATURES, &features, sizeof features, -1);
  const uint64_t table[5] = {1, GUEST_ADDRESS, BYTES, USER_ADDRESS, 0};
  tell(SET_MEM_TABLE, table, sizeof table, memory_fd);
  for (int ring = 0; ring < 2; ring++) start(ring);
  if (what == 'r') publish(TO_GUEST, SIZE);
  if (what == 's')
    for (uint16_t sent = 0;; sched_yield()) {
      // Completions are in order, so a descriptor is free again when so many are used.
      const uint16_t done = __atomic_load_n(&used(FROM_GUEST)->idx, __ATOMIC_ACQUIRE);
      const uint16_t room = done + SIZE - sent;
      if (room > 0) publish(FROM_GUEST, sent += room);
    }
  for (;;) pause();
}

int main(void) {
  char line[256];
  signal(SIGCHLD, SIG_IGN);  // nobody waits for the dead
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    const pid_t pid = fork();
    if (pid == 0) {
      close(0);
      live(line + 1, line[0]);
    }
    if (pid < 0) fail("fork");
    dprintf(1, "%d\n", (int)pid);
  }
  return 0;
}
