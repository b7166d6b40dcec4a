// One file of the front end, mapped. Its place in the route: SET_MEM_TABLE → Mapping → MemorySnapshot. It
// knows file kinds and sizes; it does not know guest addresses. vhost-user: "Memory regions description".
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/memory/sigbus_guard.h"

namespace rxvhost {

class Mapping {
 public:
  /// Maps `fd` from its start to `offset + size`, rounded up to the file's block size: hugetlbfs maps and
  /// unmaps whole huge pages only. Checked against the file's length first, since mmap is not.
  static Reason open(const Fd& fd, uint64_t offset, uint64_t size, std::shared_ptr<const Mapping>* out);

  Mapping(uint8_t* base, size_t length, bool on_disk)
      : base_(base), length_(length), on_disk_(on_disk), range_(base, length) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  uint8_t* base() const { return base_; }
  bool poisoned() const { return range_.poisoned(); }
  /// Neither tmpfs nor hugetlbfs: the file's pages come from a disk and go back to it.
  bool on_disk() const { return on_disk_; }

 private:
  uint8_t* base_;
  size_t length_;
  bool on_disk_;
  GuardedRange range_;
};

}  // namespace rxvhost
