#include "core/memory/dirty_log.h"

namespace rxvhost {

Reason DirtyLog::open(Fd fd, uint64_t size, uint64_t offset, std::shared_ptr<const DirtyLog>* out) {
  if (size == 0) return Reason::log_range;
  std::shared_ptr<const Mapping> mapping;
  Backings own;  // separate, so that the log does not count as a file of the guest's memory
  const Reason reason = Mapping::open(std::move(fd), offset, size, &own, &mapping);
  if (reason == Reason::mem_range || reason == Reason::mem_file_size) return Reason::log_range;
  if (reason != Reason::none) return reason;
  uint8_t* bits = mapping->base() + offset;  // must come before std::move(mapping)
  *out = std::make_shared<const DirtyLog>(std::move(mapping), bits, size);
  return Reason::none;
}

}  // namespace rxvhost
