#include "core/memory/file_kind.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace rxvhost {

namespace {

using File = std::unique_ptr<FILE, decltype([](FILE* file) { fclose(file); })>;

// Calls `line` for each line of a file until a call returns true. Returns whether a call returned true.
template <class Line>
bool any_line(const char* path, Line line) {
  const File file(fopen(path, "re"));
  if (!file) return false;
  char* text = nullptr;
  size_t room = 0;
  bool found = false;
  while (!found && getline(&text, &room, file.get()) >= 0) found = line(text);
  free(text);
  return found;
}

// Returns the id of the mount through which the file was opened, from /proc/self/fdinfo.
std::optional<int> mount_of(int fd) {
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  int id = 0;
  const auto is_it = [&](const char* line) { return sscanf(line, "mnt_id: %d", &id) == 1; };
  return any_line(path, is_it) ? std::optional(id) : std::nullopt;
}

// Returns the kind of the root folder's file system, or may_block if the file is on another file system. This
// check is necessary because after chroot() /proc/self/mountinfo lists the root's file system only if the new
// root is a mount point. A call to the root's file system is safe, because the process's own programs are on
// it.
FileKind kind_of_root(const struct statx& known) {
  struct statx root {};
  struct statfs system {};
  if (statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_TYPE, &root) != 0 ||
      root.stx_dev_major != known.stx_dev_major || root.stx_dev_minor != known.stx_dev_minor ||
      statfs("/", &system) != 0)
    return FileKind::may_block;
  return file_kind(static_cast<long>(system.f_type));
}

// Reads lines such as "36 35 98:0 /root /mount rw,noatime shared:1 - ext4 /dev/sda rw" (proc(5)). Finds the
// file's own mount. If the front end has its own mount namespace, finds another mount of the same file
// system. A file system that is mounted only in the front end's namespace could be of any kind, so it is not
// trusted.
FileKind kind_of_mount(int fd, const struct statx& known) {
  const std::optional<int> mount = mount_of(fd);
  std::optional<FileKind> kind;
  any_line("/proc/self/mountinfo", [&](char* line) {
    int id = 0;
    unsigned major = 0, minor = 0;
    const char* name = strstr(line, " - ");
    if (name == nullptr || sscanf(line, "%d %*d %u:%u", &id, &major, &minor) != 3) return false;
    const bool itself = mount == id;
    if (!itself && (major != known.stx_dev_major || minor != known.stx_dev_minor)) return false;
    name += 3;
    kind = file_kind(std::string_view(name, strcspn(name, " \n")));
    return itself;
  });
  return kind ? *kind : kind_of_root(known);
}

}  // namespace

FileKind file_kind(long magic) {
  constexpr uint32_t kFuse = 0x65735546, kCeph = 0x00c36400, kCifs = 0xff534d42, kSmb2 = 0xfe534d42;
  switch (static_cast<uint32_t>(magic)) {
    case kFuse:
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case V9FS_MAGIC:
    case kCeph:
    case kCifs:
    case kSmb2:
      return FileKind::may_block;
    case TMPFS_MAGIC:  // includes memfds
    case HUGETLBFS_MAGIC:
    case RAMFS_MAGIC:
      return FileKind::memory;
    default:
      return FileKind::disk;
  }
}

FileKind file_kind(std::string_view name) {
  for (const std::string_view own : {"tmpfs", "hugetlbfs", "ramfs", "devtmpfs"})
    if (name == own) return FileKind::memory;
  // These are prefixes, since names such as `fuse.sshfs`, `fuseblk`, `nfs4` and `smb3` exist.
  for (const std::string_view far : {"fuse", "nfs", "smb", "cifs", "9p", "ceph", "virtiofs", "afs", "lustre"})
    if (name.starts_with(far)) return FileKind::may_block;
  return FileKind::disk;
}

Reason look_at(const Fd& fd, FileFacts* out) {
  if (!fd) return Reason::fd_type;
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || flags & O_PATH) return Reason::fd_type;  // an O_PATH fd can't be mapped
  // F_GET_SEALS succeeds only for files of tmpfs (memfds are such files) and hugetlbfs. Any other file system
  // could block, so until its kind is known, only data that the kernel has cached is read.
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0) {
    struct statx known {};
    if (statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &known) != 0 ||
        !S_ISREG(known.stx_mode))
      return Reason::fd_type;
    if (kind_of_mount(fd.get(), known) == FileKind::may_block) return Reason::mem_fs_type;
  }
  struct stat file {};
  struct statfs system {};
  if (fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) return Reason::fd_type;
  if (fstatfs(fd.get(), &system) != 0) return Reason::fd_type;
  const FileKind kind = file_kind(static_cast<long>(system.f_type));
  if (kind == FileKind::may_block) return Reason::mem_fs_type;
  constexpr uint64_t kPage = 4096;
  const bool huge = system.f_type == HUGETLBFS_MAGIC;
  *out = {static_cast<uint64_t>(file.st_size),
          huge ? static_cast<uint64_t>(file.st_blksize) : kPage,
          huge,
          kind == FileKind::disk,
          seals >= 0 && seals & F_SEAL_SHRINK,
          file.st_dev,
          file.st_ino};
  return Reason::none;
}

}  // namespace rxvhost
