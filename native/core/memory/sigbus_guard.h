// Survives a front end that truncates the file behind its memory, and memory that fails: the access raises
// SIGBUS, and the handler puts zero pages over the whole mapping, marks it poisoned, and lets the access
// continue. The device is then faulted by whoever checks `poisoned` before publishing. Process-wide; the
// handler that was there before is called for every address that is not ours. The handler only reads atomics
// and calls mmap, both safe in a signal handler.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rxvhost {

/// What SIGBUS said of a range: a page was missing, or the machine's memory failed under one.
enum class Poison : uint8_t { none, missing, hardware };

class GuardedRange {
 public:
  struct Slot;  // an entry of the handler's table

  GuardedRange() = default;
  /// Watches [base, base + length).
  GuardedRange(void* base, size_t length);
  GuardedRange(GuardedRange&& other) noexcept;
  GuardedRange& operator=(GuardedRange&&) = delete;
  ~GuardedRange();

  bool poisoned() const { return poison() != Poison::none; }
  Poison poison() const;

 private:
  Slot* slot_ = nullptr;
};

/// Rises with every poisoned range: one load tells a burst that nothing happened since it last looked.
inline uint64_t poison_epochs = 0;  // written by the signal handler
inline uint64_t poison_epoch() { return __atomic_load_n(&poison_epochs, __ATOMIC_ACQUIRE); }

/// For tests and for the periodic check: is our handler (still) installed?
bool sigbus_guard_installed();

}  // namespace rxvhost
