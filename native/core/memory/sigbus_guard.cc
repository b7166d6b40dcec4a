#include "core/memory/sigbus_guard.h"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include <sys/mman.h>

#include "core/base/limits.h"

namespace rxvhost {

namespace {

// Written under the mutex, read by the handler without it. `end` is stored last and cleared first, so a
// handler never sees half a range. A slot's poison flag lives here and not in the mapping's owner, which may
// be going away.
struct Slot {
  uintptr_t start;
  uintptr_t end;
  bool poisoned;
};

Slot slots[kMaxGuardedRanges];
uint32_t slots_used;  // high-water mark: what the handler scans
std::mutex table_mutex;
struct sigaction previous;
bool installed;

bool cover(uintptr_t address) {
  const uint32_t used = __atomic_load_n(&slots_used, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < used; i++) {
    const uintptr_t end = __atomic_load_n(&slots[i].end, __ATOMIC_ACQUIRE);
    const uintptr_t start = __atomic_load_n(&slots[i].start, __ATOMIC_RELAXED);
    if (address < start || address >= end) continue;
    void* got = mmap(reinterpret_cast<void*>(start), end - start, PROT_READ | PROT_WRITE,
                     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) return false;
    __atomic_store_n(&slots[i].poisoned, true, __ATOMIC_RELEASE);
    __atomic_add_fetch(&poison_epochs, 1, __ATOMIC_RELEASE);
    return true;
  }
  return false;
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const bool ours = cover(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = saved_errno;
  if (ours) return;
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // Nobody else's either: the access is repeated under the default action and ends the process, with a
    // core.
    struct sigaction fall {};
    fall.sa_handler = SIG_DFL;
    sigaction(SIGBUS, &fall, nullptr);
  }
}

void install_locked() {
  if (installed) return;
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  installed = sigaction(SIGBUS, &action, &previous) == 0;
}

}  // namespace

GuardedRange::GuardedRange(void* base, size_t length) {
  std::lock_guard lock(table_mutex);
  install_locked();
  for (uint32_t i = 0; i < kMaxGuardedRanges; i++) {
    if (slots[i].end != 0) continue;
    const uintptr_t start = reinterpret_cast<uintptr_t>(base);
    __atomic_store_n(&slots[i].poisoned, false, __ATOMIC_RELAXED);
    __atomic_store_n(&slots[i].start, start, __ATOMIC_RELAXED);
    __atomic_store_n(&slots[i].end, start + length, __ATOMIC_RELEASE);
    if (i >= slots_used) __atomic_store_n(&slots_used, i + 1, __ATOMIC_RELEASE);
    slot_ = static_cast<int32_t>(i);
    return;
  }
}

GuardedRange::GuardedRange(GuardedRange&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

GuardedRange::~GuardedRange() {
  if (slot_ < 0) return;
  std::lock_guard lock(table_mutex);
  __atomic_store_n(&slots[slot_].end, uintptr_t{0}, __ATOMIC_RELEASE);
}

bool GuardedRange::poisoned() const {
  return slot_ >= 0 && __atomic_load_n(&slots[slot_].poisoned, __ATOMIC_ACQUIRE);
}


bool sigbus_guard_installed() {
  struct sigaction now {};
  return sigaction(SIGBUS, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
         now.sa_sigaction == on_sigbus;
}

}  // namespace rxvhost
