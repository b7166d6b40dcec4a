// Decides which files may hold a guest's memory, before Mapping maps them. It makes no call to a file system
// that could block: a FUSE file system of the front end may never answer, and an NFS server is another
// machine.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace rxvhost {

enum class FileKind {
  memory,     // the kernel alone provides the pages
  disk,       // allowed, but page faults are as slow as the disk
  may_block,  // a page fault waits for another process or another machine, possibly for ever
};

/// Returns the kind of the file system with this f_type of fstatfs().
FileKind file_kind(long magic);
/// Returns the kind of the file system with this name in /proc/self/mountinfo.
FileKind file_kind(std::string_view file_system);

struct FileFacts {
  uint64_t size;   // bytes
  uint64_t block;  // bytes; the size of a mapping is a multiple of this
  bool huge;       // the file consists of huge pages
  bool on_disk;
  bool cannot_shrink;  // sealed against shrinking
  uint64_t device, inode;
};

/// Fills in `out`. Returns fd_type if the fd is not a regular file. Returns mem_fs_type if a page fault may
/// block, or if the kind is not known because the file system is not mounted in this process's namespace.
Reason look_at(const Fd& fd, FileFacts* out);

}  // namespace rxvhost
