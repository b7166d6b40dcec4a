#include "core/memory/backing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/limits.h"

namespace rxvhost {

Loss Backing::loss(uint64_t end) const {
  if (!fd_) return Loss::no_backing;
  // Reads only the size that the kernel has cached. A request to the file system could block, and this thread
  // serves other devices.
  struct statx now {};
  if (statx(fd_.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, &now) != 0) return Loss::unknown;
  return now.stx_size < end ? Loss::truncated : Loss::no_backing;
}

std::shared_ptr<const Backing> backing_of(Fd* fd, const FileFacts& file, Backings* known) {
  if (file.cannot_shrink) return std::make_shared<const Backing>();
  const auto there = std::ranges::find_if(*known, [&](const auto& it) { return it->is(file); });
  if (there != known->end()) return *there;
  if (known->size() >= kMaxBackings) return nullptr;
  return known->emplace_back(std::make_shared<const Backing>(std::move(*fd), file));
}

}  // namespace rxvhost
