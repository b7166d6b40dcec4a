#include "core/base/result.h"

namespace rxvhost {

static constexpr const char* kNames[] = {
    "none",       "fd_type",      "mem_count",        "mem_range",      "mem_overlap", "mem_file_size",
    "mem_map",    "mem_fs_type",  "mem_missing",      "vq_size",        "vq_index",    "vq_addr",
    "vq_align",   "vq_base",      "vq_running",       "head_range",     "avail_jump",  "head_dup",
    "next_range", "chain_loop",   "malformed_budget", "memory_revoked", "call_stuck",  "device_gone",
    "log_range",  "log_overflow", "kick_watch",
};
static_assert(sizeof(kNames) / sizeof(kNames[0]) == static_cast<unsigned>(Reason::count_));

const char* reason_name(Reason reason) {
  return reason < Reason::count_ ? kNames[static_cast<unsigned>(reason)] : "unknown";
}

}  // namespace rxvhost
