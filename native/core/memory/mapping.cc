#include "core/memory/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "core/memory/file_kind.h"

namespace rxvhost {

namespace {

// Waits until the file's lock is free, before mmap() is called. The reason is that mmap() of a huge page file
// waits for the file's lock while it holds the lock of this process's address space, and every page fault of
// the process needs that lock. A front end holds the file's lock for as long as its fallocate() takes.
// F_ADD_SEALS takes the file's lock too, and it changes nothing when it adds no seals, so its result does not
// matter. A front end that takes the lock again between the two calls can still make mmap() wait.
void wait_for(const Fd& fd) { fcntl(fd.get(), F_ADD_SEALS, 0); }

}  // namespace

Reason Mapping::open(Fd fd, uint64_t offset, uint64_t size, Backings* known,
                     std::shared_ptr<const Mapping>* out) {
  FileFacts file{};
  if (Reason reason = look_at(fd, &file); reason != Reason::none) return reason;
  uint64_t end = 0, rounded = 0;
  if (__builtin_add_overflow(offset, size, &end)) return Reason::mem_range;
  if (end > file.size) return Reason::mem_file_size;
  if (__builtin_add_overflow(end, file.block - 1, &rounded)) return Reason::mem_range;
  rounded -= rounded % file.block;
  if (file.huge) wait_for(fd);
  void* base = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (base == MAP_FAILED) return Reason::mem_map;
  madvise(base, rounded, MADV_DONTDUMP);  // excludes guest memory from core dumps
  *out = std::make_shared<Mapping>(Shape{static_cast<uint8_t*>(base), rounded, end, file.on_disk},
                                   backing_of(&fd, file, known));
  fd.close_now();  // cannot block, since the mapping still refers to the file
  return Reason::none;
}

// Removes the range from the guard's table before it unmaps the range. In the opposite order, another thread
// could get the same addresses from mmap() between the two steps, and the handler would treat that thread's
// SIGBUS as ours.
Mapping::~Mapping() {
  { GuardedRange leave(std::move(range_)); }
  munmap(shape_.base, shape_.length);
}

}  // namespace rxvhost
