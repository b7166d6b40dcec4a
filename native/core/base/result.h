// Reasons why a request was refused or a ring stopped. The numbers pass to JavaScript: src/addon/reasons.ts
// lists the same words in the same order, and a test compares the two lists. Add new reasons at the end.
#pragma once

#include <cstdint>

namespace rxvhost {

enum class Reason : uint8_t {
  none,
  fd_type,           // an fd of the wrong kind, for instance a pipe as a kick
  mem_count,         // no regions, too many regions, or a number of fds that differs from that of regions
  mem_range,         // a region is empty or wraps past the last address
  mem_overlap,       // two regions share an address
  mem_file_size,     // the file is shorter than the region
  mem_map,           // mmap refused
  mem_fs_type,       // memory on a file system whose page faults can block (FUSE, NFS)
  mem_missing,       // no memory table, or a memory table that is not shared
  vq_size,           // invalid ring size
  vq_index,          // invalid ring index
  vq_addr,           // a ring part outside the memory table
  vq_align,          // a ring part that is not aligned
  vq_base,           // invalid ring base
  vq_running,        // the request is valid only for a stopped ring
  head_range,        // an available head >= ring size
  avail_jump,        // the available index is ahead by more than the ring size
  head_dup,          // the driver offered a head again before it was used
  next_range,        // a descriptor's `next` >= table size
  chain_loop,        // a chain has more descriptors than the table
  malformed_budget,  // too many malformed chains in a row
  memory_revoked,    // pages of the guest's memory are missing or failed (core/memory/sigbus_guard.h)
  call_stuck,        // the write to a call eventfd blocked
  device_gone,       // no such device
  log_range,         // a dirty log is empty, extends beyond its file, or has no bits for a used ring
  log_overflow,      // the dirty log has no bit for a page that had to be written
  kick_watch,        // the kick could not be added to the epoll
  count_,
};

const char* reason_name(Reason reason);

}  // namespace rxvhost
