// Lets the process survive a front end that truncates the file behind its memory, and memory hardware that
// fails. In both cases an access raises SIGBUS. The handler puts zero pages over the whole mapping, marks it
// as poisoned, and lets the access continue. Later, the code that checks `poisoned` before it publishes
// faults the device. The handler is process-wide. For every other address it calls the handler that was
// installed before. Our handler uses only atomics and mmap, which are safe in a signal handler.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rxvhost {

/// Why an access to a range raised SIGBUS: a page was missing, or the memory hardware of a page failed.
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

/// Incremented for every poisoned range. With one load, a burst learns whether any range was poisoned since
/// its last check.
inline uint64_t poison_epochs = 0;  // written by the signal handler
inline uint64_t poison_epoch() { return __atomic_load_n(&poison_epochs, __ATOMIC_ACQUIRE); }

/// Returns whether our handler is still installed. Tests and the periodic check use it.
bool sigbus_guard_installed();

}  // namespace rxvhost
