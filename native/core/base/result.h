// Reasons why something was refused or a ring stopped. The numbers pass to JavaScript: src/addon/reasons.ts
// lists the same words in the same order, and a test compares the two, so new reasons go to the end.
#pragma once

#include <cstdint>

namespace rxvhost {

enum class Reason : uint8_t {
  none,
  fd_type,           // an fd of the wrong kind, for instance a pipe as a kick
  mem_count,         // no regions, too many, or not one fd for each
  mem_range,         // a region wraps or is empty
  mem_overlap,       // two regions share an address
  mem_file_size,     // the file is shorter than the region
  mem_map,           // mmap refused
  mem_fs_type,       // memory on a file system whose page faults can block (FUSE, NFS)
  mem_missing,       // no memory table, or one that is not shared
  vq_size,           // invalid ring size
  vq_index,          // invalid ring index
  vq_addr,           // a ring part outside the memory table
  vq_align,          // a ring part that is not aligned
  vq_base,           // invalid ring base
  vq_running,        // only a stopped ring can do this
  head_range,        // available head >= ring size
  avail_jump,        // more available than the ring holds
  head_dup,          // the same head twice before it was used
  next_range,        // next >= table size
  chain_loop,        // more descriptors than the table holds
  malformed_budget,  // too many malformed chains in a row
  memory_revoked,    // pages of the guest's memory went missing or failed (core/memory/sigbus_guard.h)
  call_stuck,        // a notification blocked
  device_gone,       // no such device
  log_range,         // a dirty log that is empty, beyond its file, or has no bits for a used ring
  log_overflow,      // the dirty log has no bit for a page that was to be written
  kick_watch,        // the kick could not be added to the epoll
  count_,
};

const char* reason_name(Reason reason);

}  // namespace rxvhost
