// A file system whose server, this program, never says how long its file is: `fuse SOCKET` mounts it where nobody else sees
// it, connects to the Unix socket and sends the opened file with one byte. Prints `ready`, then the number of each request
// that it keeps waiting (linux/fuse.h). They are answered once a line comes on standard input. Status 3 if nothing can be
// mounted here, which `fuse try` finds out.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FOLDER = FUSE_ROOT_ID, FILE_NODE = 2, SIZE = 1 << 22, MOST = 4096 };

static int device;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t waiting[MOST];
static int waits, answering = 1;

static void answer(uint64_t unique, const void *data, size_t length) {
  char bytes[512];
  const struct fuse_out_header header = {(uint32_t)(sizeof header + length), 0, unique};
  memcpy(bytes, &header, sizeof header);
  if (length > 0) memcpy(bytes + sizeof header, data, length);
  if (write(device, bytes, sizeof header + length) < 0 && errno != ENOENT) perror("fuse: answer");
}

static struct fuse_attr attributes(uint64_t node) {
  return (struct fuse_attr){
      .ino = node,
      .mode = node == FOLDER ? S_IFDIR | 0755 : S_IFREG | 0666,
      .size = SIZE,
      .nlink = 1,
      .blksize = 4096,
  };
}

static void serve(const struct fuse_in_header *request) {
  switch (request->opcode) {
    case FUSE_INIT: {
      const struct fuse_init_in *in = (const void *)(request + 1);
      const struct fuse_init_out out = {.major = 7, .minor = in->minor, .max_write = 4096};
      answer(request->unique, &out, sizeof out);
      return;
    }
    case FUSE_LOOKUP: {
      // The kernel may keep nothing of it: it has to ask for the attributes each time.
      const struct fuse_entry_out out = {.nodeid = FILE_NODE, .entry_valid = 1000, .attr = attributes(FILE_NODE)};
      answer(request->unique, &out, sizeof out);
      return;
    }
    case FUSE_OPEN: {
      const struct fuse_open_out out = {.fh = 1};
      answer(request->unique, &out, sizeof out);
      return;
    }
    case FUSE_GETATTR:
      if (request->nodeid == FOLDER) {
        const struct fuse_attr_out out = {.attr_valid = 1000, .attr = attributes(FOLDER)};
        answer(request->unique, &out, sizeof out);
        return;
      }
      break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;  // have no answer
    case FUSE_RELEASE:
    case FUSE_ACCESS:
      answer(request->unique, NULL, 0);
      return;
  }
  pthread_mutex_lock(&mutex);
  if (!answering) printf("%u\n", request->opcode);
  if (answering)
    answer(request->unique, NULL, 0);
  else if (waits < MOST)
    waiting[waits++] = request->unique;
  pthread_mutex_unlock(&mutex);
}

static void *server(void *nothing) {
  static char bytes[1 << 17] __attribute__((aligned(8)));
  while (read(device, bytes, sizeof bytes) > 0) serve((const struct fuse_in_header *)bytes);
  return nothing;
}

static void write_file(const char *path, const char *text) {
  const int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) perror(path);
  close(fd);
}

// In a mount namespace of its own; where that takes rights that we lack, in a user namespace as well.
static int mount_it(const char *path) {
  if (unshare(CLONE_NEWNS) != 0) {
    char map[64];
    snprintf(map, sizeof map, "0 %d 1", (int)getuid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return -1;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
  }
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) return -1;
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
  return mount("never", path, "fuse", MS_NOSUID | MS_NODEV, options);
}

static int send_it(const char *path, int file) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int to = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(to, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  char byte = 0;
  char control[CMSG_SPACE(sizeof file)];
  memset(control, 0, sizeof control);
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *block = CMSG_FIRSTHDR(&message);
  block->cmsg_level = SOL_SOCKET;
  block->cmsg_type = SCM_RIGHTS;
  block->cmsg_len = CMSG_LEN(sizeof file);
  memcpy(CMSG_DATA(block), &file, sizeof file);
  return sendmsg(to, &message, 0) == 1 ? 0 : -1;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  // Whoever waits for an answer can't end before us.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char path[] = "/tmp/never-XXXXXX", name[64];
  if (argc != 2 || mkdtemp(path) == NULL) return 2;
  // Not by its own name once it is mounted: that would ask the server.
  const int mounted = mount_it(path);
  if (mounted == 0 && strcmp(argv[1], "try") == 0) return umount2(path, MNT_DETACH), rmdir(path), 0;
  pthread_t thread;
  if (mounted == 0 && pthread_create(&thread, NULL, server, NULL) != 0) return 2;
  snprintf(name, sizeof name, "%s/file", path);
  const int file = mounted == 0 ? open(name, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) {
    perror("fuse");
    umount2(path, MNT_DETACH);
    rmdir(path);
    return 3;
  }
  if (send_it(argv[1], file) != 0) return 2;
  // To close a file asks its server: ours is closed while there is one.
  close(file);
  pthread_mutex_lock(&mutex);
  answering = 0;
  pthread_mutex_unlock(&mutex);
  umount2(path, MNT_DETACH);
  rmdir(path);
  puts("ready");
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    pthread_mutex_lock(&mutex);
    answering = 1;
    while (waits > 0) answer(waiting[--waits], NULL, 0);
    pthread_mutex_unlock(&mutex);
    puts("answered");
  }
  return 0;
}
