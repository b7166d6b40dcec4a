// The dirty log of a live migration: one bit a page of 4 KiB of guest-physical memory, in a file of the front
// end's, which clears the bits that it finds and sends those pages again. Its place in the route: a page is
// written, then marked, then the used index that hands it to the guest is published. It knows addresses, not
// what lies there. vhost-user: "Migration".
//
// Mark after the write, never before: the front end may clear the bit and copy the page in between, and what
// is written then would never be sent.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/memory/mapping.h"

namespace rxvhost {

class DirtyLog {
 public:
  static constexpr uint32_t kPageShift = 12;

  /// Maps `size` bytes that begin `offset` bytes into the file. log_range: empty, or more than the file has.
  static Reason open(Fd fd, uint64_t size, uint64_t offset, std::shared_ptr<const DirtyLog>* out);

  DirtyLog(std::shared_ptr<const Mapping> mapping, uint8_t* bits, uint64_t bytes)
      : mapping_(std::move(mapping)), bits_(bits), bytes_(bytes) {}

  /// Is there a bit for each of the `length` bytes at guest-physical `address`?
  bool covers(uint64_t address, uint64_t length) const {
    uint64_t end = 0;
    return length == 0 ||
           (!__builtin_add_overflow(address, length - 1, &end) && end >> kPageShift >> 3 < bytes_);
  }

  /// Marks every page that these bytes touch; false, and none is marked, if one has no bit.
  bool mark(uint64_t address, uint64_t length) const {
    if (length == 0) return true;
    if (!covers(address, length)) return false;
    const uint64_t last = (address + length - 1) >> kPageShift;
    for (uint64_t page = address >> kPageShift; page <= last; page++)
      // Atomic: the front end exchanges whole words for zero meanwhile. Release: it sees the bit, so it sees
      // the bytes. By the byte, since nothing says that the log is aligned.
      __atomic_fetch_or(bits_ + (page >> 3), static_cast<uint8_t>(1u << (page & 7)), __ATOMIC_RELEASE);
    return true;
  }

  /// The file was truncated: marks go nowhere any more.
  bool poisoned() const { return mapping_->poisoned(); }
  Loss loss() const { return mapping_->loss(); }

 private:
  std::shared_ptr<const Mapping> mapping_;
  uint8_t* bits_;
  uint64_t bytes_;
};

/// What a device logs. Part of a memory snapshot, so that a burst sees one state of it.
struct Logging {
  std::shared_ptr<const DirtyLog> log;  // SET_LOG_BASE
  std::shared_ptr<const Fd> call;       // SET_LOG_FD: signalled when the log has changed
  bool buffers = false;                 // VHOST_F_LOG_ALL; used rings have a flag each (VHOST_VRING_F_LOG)
};

}  // namespace rxvhost
