// The dirty log of a live migration: a file of the front end, with one bit for each page of 4 KiB of
// guest-physical memory. The front end clears the bits that are set and sends their pages again. The order of
// a packet's steps is: write the page, mark the page, then publish the used index that gives the page to the
// guest. vhost-user: "Migration".
//
// Mark a page after the write, never before it. Otherwise the front end could clear the bit and copy the page
// before the write, so that the written bytes would never be sent.
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

  /// Maps `size` bytes of the file from `offset` on. Returns log_range if `size` is 0 or the file is too
  /// short.
  static Reason open(Fd fd, uint64_t size, uint64_t offset, std::shared_ptr<const DirtyLog>* out);

  DirtyLog(std::shared_ptr<const Mapping> mapping, uint8_t* bits, uint64_t bytes)
      : mapping_(std::move(mapping)), bits_(bits), bytes_(bytes) {}

  /// Returns true if the log has bits for all pages of the `length` bytes at guest-physical `address`.
  bool covers(uint64_t address, uint64_t length) const {
    uint64_t end = 0;
    return length == 0 ||
           (!__builtin_add_overflow(address, length - 1, &end) && end >> kPageShift >> 3 < bytes_);
  }

  /// Marks every page that these bytes touch. If the log has no bit for one of the pages, marks no page and
  /// returns false.
  bool mark(uint64_t address, uint64_t length) const {
    if (length == 0) return true;
    if (!covers(address, length)) return false;
    const uint64_t last = (address + length - 1) >> kPageShift;
    for (uint64_t page = address >> kPageShift; page <= last; page++)
      // Atomic, because the front end exchanges whole words for zero at the same time. Release, so that a
      // front end that sees the bit also sees the written bytes. One byte at a time, because the log need not
      // be aligned.
      __atomic_fetch_or(bits_ + (page >> 3), static_cast<uint8_t>(1u << (page & 7)), __ATOMIC_RELEASE);
    return true;
  }

  /// Returns true if a page of the log itself is missing (core/memory/sigbus_guard.h). Marks then have no
  /// effect.
  bool poisoned() const { return mapping_->poisoned(); }
  Loss loss() const { return mapping_->loss(); }

 private:
  std::shared_ptr<const Mapping> mapping_;
  uint8_t* bits_;
  uint64_t bytes_;
};

/// The logging state of a device. It is part of a memory snapshot, so that a burst sees one consistent state.
struct Logging {
  std::shared_ptr<const DirtyLog> log;  // SET_LOG_BASE
  std::shared_ptr<const Fd> call;       // SET_LOG_FD: notified when the log has changed
  bool buffers = false;                 // VHOST_F_LOG_ALL; used rings have their own flag, VHOST_VRING_F_LOG
};

}  // namespace rxvhost
