// Which file systems may hold a guest's memory, by the magic number that fstatfs() tells. Mapping asks;
// nothing else is known here.
#pragma once

#include <cstdint>

#include <linux/magic.h>

namespace rxvhost {

enum class FileKind {
  memory,     // pages are nobody's but the kernel's
  disk,       // works, at the disk's pace
  may_block,  // a page fault waits for another process or another machine, which could stop us for ever
};

inline FileKind file_kind(long magic) {
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
    case TMPFS_MAGIC:  // memfd too
    case HUGETLBFS_MAGIC:
    case RAMFS_MAGIC:
      return FileKind::memory;
    default:
      return FileKind::disk;
  }
}

}  // namespace rxvhost
