#include "core/memory/sigbus_guard.h"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include <sys/mman.h>

#include "core/base/signal_table.h"

namespace rxvhost {

// Written under the mutex, read by the handler without it. A slot's poison flag lives here and not in the
// mapping's owner, which may be going away.
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

// The race that `changes` closes: another thread gives a slot back and takes it for the next range between a
// handler's loads of start and end. Of the two ranges a handler would make one from the new start to the old
// end, and put zeros over whatever lies in between. Each store below is a release and each load an acquire,
// so that, on arm64 as well, who reads a start or an end of a change reads, after it, a count no older than
// that change. A range that did not change is what it was at one moment; the page that is missing lies in a
// mapping that whoever touches it keeps, so if it was in the range at that moment it is in it still.
void change(Slot& slot, uintptr_t start, uintptr_t end) {
  const uint64_t changes = slot.changes;
  __atomic_store_n(&slot.changes, changes + 1, __ATOMIC_RELAXED);
  __atomic_store_n(&slot.start, start, __ATOMIC_RELEASE);
  __atomic_store_n(&slot.end, end, __ATOMIC_RELEASE);
  __atomic_store_n(&slot.changes, changes + 2, __ATOMIC_RELEASE);
}

// What is being changed right now is nobody's memory yet, or no more: no reason to wait for it.
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
    // Of two reasons on two threads the machine's is kept.
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
    // No earlier handler either: the access is repeated under the default action, which ends the process with
    // a core dump.
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
