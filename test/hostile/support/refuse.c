// Preloaded: a system that can't map what it is asked to. mmap() of a file that has the set-user-ID bit fails, by the errno that
// its permission bits spell.
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  struct stat file;
  if (fd >= 0 && fstat(fd, &file) == 0 && file.st_mode & S_ISUID) {
    errno = file.st_mode & 0777;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return mmap64(at, length, protection, flags, fd, offset);
}
