// The dirty log of a live migration: one bit for each page of 4 KiB of guest-physical memory, in a file of
// the front end, which clears the bits that are set and sends those pages again. Its place in the route: a
// page is written, then marked, then the used index that hands it to the guest is published. vhost-user:
// "Migration".
//
// Mark after the write, never before: otherwise the front end could clear the bit and copy the page before
// the write, which would then never be sent.
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

  /// Maps `size` bytes of the file from `offset` on. log_range: `size` is 0, or the file is too short.
  static Reason open(Fd fd, uint64_t size, uint64_t offset, std::shared_ptr<const DirtyLog>* out);

  DirtyLog(std::shared_ptr<const Mapping> mapping, uint8_t* bits, uint64_t bytes)
      : mapping_(std::move(mapping)), bits_(bits), bytes_(bytes) {}

  /// True if the log has a bit for each of the `length` bytes at guest-physical `address`.
  bool covers(uint64_t address, uint64_t length) const {
    uint64_t end = 0;
    return length == 0 ||
           (!__builtin_add_overflow(address, length - 1, &end) && end >> kPageShift >> 3 < bytes_);
  }

  /// Marks every page that these bytes touch. If one of them has no bit, marks none and returns false.
  bool mark(uint64_t address, uint64_t length) const {
    if (length == 0) return true;
    if (!covers(address, length)) return false;
    const uint64_t last = (address + length - 1) >> kPageShift;
    for (uint64_t page = address >> kPageShift; page <= last; page++)
      // Atomic: the front end exchanges whole words for zero meanwhile. Release: a front end that sees the
      // bit sees the bytes, too. Byte by byte, since the log need not be aligned.
      __atomic_fetch_or(bits_ + (page >> 3), static_cast<uint8_t>(1u << (page & 7)), __ATOMIC_RELEASE);
    return true;
  }

  /// The log itself is lost (core/memory/sigbus_guard.h): marks have no effect any more.
  bool poisoned() const { return mapping_->poisoned(); }
  Loss loss() const { return mapping_->loss(); }

 private:
  std::shared_ptr<const Mapping> mapping_;
  uint8_t* bits_;
  uint64_t bytes_;
};

/// What a device logs. It is part of a memory snapshot, so that a burst sees one consistent state.
struct Logging {
  std::shared_ptr<const DirtyLog> log;  // SET_LOG_BASE
  std::shared_ptr<const Fd> call;       // SET_LOG_FD: notified when the log has changed
  bool buffers = false;                 // VHOST_F_LOG_ALL; each used ring has its own flag, VHOST_VRING_F_LOG
};

}  // namespace rxvhost
