// A mapped file of the front end. SET_MEM_TABLE makes a MemorySnapshot, whose regions refer to Mappings.
// vhost-user: "Memory regions description".
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/memory/backing.h"
#include "core/memory/sigbus_guard.h"

namespace rxvhost {

class Mapping {
 public:
  /// Maps `fd` from its start to `offset + size`, rounded up to the file's block size, because hugetlbfs maps
  /// and unmaps only whole huge pages. Checks the length of the file first, because mmap() does not. This
  /// call and the destructor may block (core/memory/memory_threads.h). `known` has the open files of the same
  /// table, and this file may be added to it.
  static Reason open(Fd fd, uint64_t offset, uint64_t size, Backings* known,
                     std::shared_ptr<const Mapping>* out);

  struct Shape {
    uint8_t* base;
    size_t length;
    uint64_t end;  // offset + size, not rounded up
    bool on_disk;
  };
  Mapping(const Shape& shape, std::shared_ptr<const Backing> backing)
      : shape_(shape), backing_(std::move(backing)), range_(shape.base, shape.length) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  uint8_t* base() const { return shape_.base; }
  bool poisoned() const { return range_.poisoned(); }
  /// Returns why the mapping is poisoned.
  Loss loss() const {
    if (range_.poison() == Poison::hardware) return Loss::hardware;
    return poisoned() && backing_ ? backing_->loss(shape_.end) : Loss::unknown;
  }
  const std::shared_ptr<const Backing>& backing() const { return backing_; }
  /// Returns true if the file's pages are read from a disk and written back to it.
  bool on_disk() const { return shape_.on_disk; }

 private:
  Shape shape_;
  std::shared_ptr<const Backing> backing_;  // null: the cause of a loss cannot be found out
  GuardedRange range_;
};

}  // namespace rxvhost
