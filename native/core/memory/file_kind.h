// Which files may hold a guest's memory, found out without asking the file system, which may be the front
// end's own and never answer (FUSE) or another machine's (NFS). Mapping asks; nothing else is known here.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace rxvhost {

enum class FileKind {
  memory,     // pages are nobody's but the kernel's
  disk,       // works, at the disk's pace
  may_block,  // a page fault waits for another process or another machine, which could stop us for ever
};

/// By the number that fstatfs() tells.
FileKind file_kind(long magic);
/// By the name in /proc/self/mountinfo.
FileKind file_kind(std::string_view file_system);

struct FileFacts {
  uint64_t size;   // bytes
  uint64_t block;  // bytes that are mapped at a time
  bool huge;       // in huge pages
  bool on_disk;
  bool keeps_size;  // sealed against being shortened
  uint64_t device, inode;
};

/// fd_type: no regular file. mem_fs_type: one whose pages may block, or of a file system that this process
/// has not mounted, and so can't know.
Reason look_at(const Fd& fd, FileFacts* out);

}  // namespace rxvhost
