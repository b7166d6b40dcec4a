#include "core/memory/sigbus_guard.h"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include <sys/mman.h>

#include "core/base/signal_table.h"

namespace rxvhost {

// A slot is written with the mutex held, but the handler reads it without the mutex. The poison flag is in
// the slot and not in the owner of the mapping, because another thread may be destroying the owner while the
// handler runs.
struct GuardedRange::Slot {
  uint64_t changes;  // odd while start and end are being changed
  uintptr_t start;
  uintptr_t end;
  Poison poison;
};

namespace {

using Slot = GuardedRange::Slot;

SignalTable<Slot, 256> table;
std::mutex table_mutex;
struct sigaction previous;
bool installed;

// `changes` prevents this race: between a handler's loads of start and end, another thread gives a slot back
// and takes it again for a new range. The handler would then combine the new start with the old end, and it
// would put zero pages over all memory between them. To prevent this, the handler reads `changes` before and
// after the range. Each store of a range is a release and each load is an acquire, on arm64 too. So a handler
// that reads a start or an end of a change reads, after it, a count that is at least as new as the change. If
// the count did not change, start and end belong together. The range is also still in use then: the thread
// that touched the missing page holds a reference to the page's mapping.
void change(Slot& slot, uintptr_t start, uintptr_t end) {
  const uint64_t changes = slot.changes;
  __atomic_store_n(&slot.changes, changes + 1, __ATOMIC_RELAXED);
  __atomic_store_n(&slot.start, start, __ATOMIC_RELEASE);
  __atomic_store_n(&slot.end, end, __ATOMIC_RELEASE);
  __atomic_store_n(&slot.changes, changes + 2, __ATOMIC_RELEASE);
}

// Reads a slot's range. Returns false if the slot is being changed. The handler need not wait for the change:
// a range that is being added is not in use yet, and a range that is being removed is not in use any more.
bool range_of(const Slot& slot, uintptr_t* start, uintptr_t* end) {
  const uint64_t before = __atomic_load_n(&slot.changes, __ATOMIC_ACQUIRE);
  *start = __atomic_load_n(&slot.start, __ATOMIC_ACQUIRE);
  *end = __atomic_load_n(&slot.end, __ATOMIC_ACQUIRE);
  return before % 2 == 0 && __atomic_load_n(&slot.changes, __ATOMIC_RELAXED) == before;
}

bool cover(uintptr_t address, Poison why) {
  return table.find([=](Slot& slot) {
    uintptr_t start = 0, end = 0;
    if (!range_of(slot, &start, &end) || address < start || address >= end) return false;
    void* got = mmap(reinterpret_cast<void*>(start), end - start, PROT_READ | PROT_WRITE,
                     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) return false;
    // If two threads have different reasons, hardware takes precedence.
    Poison none = Poison::none;
    if (why == Poison::hardware)
      __atomic_store_n(&slot.poison, why, __ATOMIC_RELEASE);
    else
      __atomic_compare_exchange_n(&slot.poison, &none, why, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    __atomic_add_fetch(&poison_epochs, 1, __ATOMIC_RELEASE);
    return true;
  });
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const bool hardware = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;
  const bool ours =
      cover(reinterpret_cast<uintptr_t>(info->si_addr), hardware ? Poison::hardware : Poison::missing);
  errno = saved_errno;
  if (ours) return;
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // There is no earlier handler either. The access is repeated with the default action, which ends the
    // process with a core dump.
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
  const uintptr_t start = reinterpret_cast<uintptr_t>(base);
  Slot* slot = table.take();
  __atomic_store_n(&slot->poison, Poison::none, __ATOMIC_RELAXED);
  change(*slot, start, start + length);
  slot_ = slot;
}

GuardedRange::GuardedRange(GuardedRange&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}

GuardedRange::~GuardedRange() {
  if (slot_ == nullptr) return;
  std::lock_guard lock(table_mutex);
  change(*slot_, 0, 0);
  table.give_back(slot_);
}

Poison GuardedRange::poison() const {
  return slot_ != nullptr ? __atomic_load_n(&slot_->poison, __ATOMIC_ACQUIRE) : Poison::none;
}

bool sigbus_guard_installed() {
  struct sigaction now {};
  return sigaction(SIGBUS, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
         now.sa_sigaction == on_sigbus;
}

}  // namespace rxvhost
