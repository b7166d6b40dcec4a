// Decides which files may hold a guest's memory, before Mapping maps them. It makes no call to a file system
// that could block: the front end's own may never answer (FUSE), and others are on another machine (NFS).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace rxvhost {

enum class FileKind {
  memory,     // the kernel alone provides the pages
  disk,       // works, at the speed of the disk
  may_block,  // a page fault waits for another process or another machine, possibly for ever
};

/// The kind by f_type of fstatfs().
FileKind file_kind(long magic);
/// The kind by the name in /proc/self/mountinfo.
FileKind file_kind(std::string_view file_system);

struct FileFacts {
  uint64_t size;   // bytes
  uint64_t block;  // bytes; a mapping is a multiple of it
  bool huge;       // its pages are huge pages
  bool on_disk;
  bool keeps_size;  // sealed against being shortened
  uint64_t device, inode;
};

/// Fills in `out`. fd_type: not a regular file. mem_fs_type: a page fault may block, or the file system is
/// not mounted in this process's namespace, so that its kind is not known.
Reason look_at(const Fd& fd, FileFacts* out);

}  // namespace rxvhost
