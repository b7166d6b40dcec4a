#include "core/memory/mapping.h"

#include <new>
#include <optional>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/memory/file_kind.h"

namespace rxvhost {

Reason Mapping::open(const Fd& fd, uint64_t offset, uint64_t size, std::shared_ptr<const Mapping>* out) {
  struct stat file {};
  struct statfs system {};
  if (!fd || fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) return Reason::fd_type;
  if (fcntl(fd.get(), F_GETFL) & O_PATH) return Reason::fd_type;  // names a file, and can't be mapped
  if (fstatfs(fd.get(), &system) != 0) return Reason::fd_type;
  const FileKind kind = file_kind(system.f_type);
  if (kind == FileKind::may_block) return Reason::mem_fs_type;
  uint64_t end = 0, rounded = 0;
  const uint64_t block = system.f_type == HUGETLBFS_MAGIC ? static_cast<uint64_t>(file.st_blksize) : 4096;
  if (__builtin_add_overflow(offset, size, &end)) return Reason::mem_range;
  if (end > static_cast<uint64_t>(file.st_size)) return Reason::mem_file_size;
  if (__builtin_add_overflow(end, block - 1, &rounded)) return Reason::mem_range;
  rounded -= rounded % block;
  void* base = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (base == MAP_FAILED) return Reason::mem_map;
  madvise(base, rounded, MADV_DONTDUMP);  // a guest's memory has no place in our core dump
  *out = std::make_shared<Mapping>(static_cast<uint8_t*>(base), rounded, kind == FileKind::disk);
  return Reason::none;
}

// The range leaves the guard's table before it is unmapped: between the two, another thread could get the
// same addresses from mmap and a SIGBUS of its own be taken for ours.
Mapping::~Mapping() {
  { GuardedRange leave(std::move(range_)); }
  munmap(base_, length_);
}

}  // namespace rxvhost
