// One ring of one device, of any format, with everything that outlives a burst: its lock, its state, its
// fault, its fds and its counters. The control plane starts and stops the ring, and the data plane runs
// bursts on it.
//
// States. stopped: nothing may touch guest memory; start() ends this state. running: bursts run; stop(), a
//   failed move() or latch() ends this state. latched: the guest made a fault, and the ring reads and writes
//   nothing until it is stopped and started again.
// Lock. There is one mutex. The data plane only tries to lock it, and looks at `stopping` before it does, so
//   that it never starves the control plane, which waits for the mutex. No thread holds the mutex while
//   JavaScript runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>

#include "core/base/fd.h"
#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/memory/sigbus_guard.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/counters.h"
#include "core/virtqueue/split_ring.h"

namespace rxvhost {

struct RingConfig {
  uint32_t size;
  uint32_t base;               // from the front end; the format may start elsewhere
  uint64_t desc, used, avail;  // the front end's own virtual addresses
  uint64_t features;
  bool log_used = false;  // VHOST_VRING_F_LOG
  uint64_t log = 0;       // guest-physical address that the ring's own writes are logged at
};

class Virtqueue {
 public:
  Virtqueue() = default;
  Virtqueue(const Virtqueue&) = delete;

  // --- control ---
  Reason start(const RingConfig& config, std::shared_ptr<const MemorySnapshot> memory);
  /// The base at which the last start() began. It may differ from the base in its RingConfig.
  uint32_t started_at() const { return started_at_; }
  /// Returns the base to restart from, or -1 if the ring was not running. After the call, nothing touches the
  /// ring or its memory.
  int64_t stop();
  /// Continues with another memory table. vq_addr: the ring is not in that table, and is stopped.
  Reason move(std::shared_ptr<const MemorySnapshot> memory);
  /// Begins or ends the logging of the used ring. log_range: the log has no bits for it, and nothing changed.
  Reason set_log(bool on, uint64_t address);
  /// Returns true if this log has bits for the used ring.
  bool fits(const DirtyLog& log);
  void set_kick(std::shared_ptr<const Fd> kick) { kick_ = std::move(kick); }
  /// Replaces the call fd and signals the new one once, so that no interrupt is lost in between (Q33).
  void set_call(Fd fd);
  void set_error(Fd fd);
  /// The epoll that watches the fd shares it, because an fd must leave its epoll before it is closed.
  const std::shared_ptr<const Fd>& kick() const { return kick_; }
  bool running() const { return running_.load(std::memory_order_acquire); }
  Reason fault() const { return fault_.load(std::memory_order_acquire); }

  // --- data ---
  /// Locks the ring, if it may be used now, until the object is destroyed. Meanwhile the ring counts in
  /// `into`, or in its own counters.
  class Use {
   public:
    explicit Use(Virtqueue& queue, Counters* into = nullptr);
    ~Use() {
      if (locked_ != nullptr) locked_->unlock();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    explicit operator bool() const { return locked_ != nullptr; }

   private:
    std::mutex* locked_ = nullptr;
  };
  /// Ends the use of the ring after a fault of the guest, and signals its error fd. The first reason stays.
  void latch(Reason reason);
  /// Publishes the staged entries within a burst. Returns false, and publishes nothing, if the memory was
  /// taken away.
  template <Ring R>
  bool publish_early(R& ring) {
    if (__builtin_expect(revoked(), 0)) return false;
    ring.publish();
    return true;
  }
  /// Publishes after a burst, and calls the driver once if it wants a call.
  template <Ring R>
  void finish_burst(R& ring) {
    ring.publish();
    if (ring.call_due()) call(ring);
  }
  /// A burst ended because it had done enough work. The next arm_kick() then reports that there is more.
  void leave_unfinished() { unfinished_ = true; }
  /// Returns true if the ring's memory was taken away. The ring is then latched.
  bool revoked() { return poison_epoch() != poison_epoch_ && find_revoked(); }
  bool malformed(uint32_t in_a_row) { return (malformed_ += in_a_row) > kMalformedBudget; }
  void well_formed() { malformed_ = 0; }

  bool arm_kick();
  void suppress_kick();
  bool reads_as_zero();

  /// Calls `work` with the ring, whose type is that of its format. This happens once per burst, and all loops
  /// are inside `work`. A burst has a large stack frame, so the compiler would not inline it through
  /// std::visit.
  template <size_t format = 0, class Work>
  __attribute__((always_inline)) decltype(auto) visit(Work&& work) {
    if constexpr (format + 1 < std::variant_size_v<decltype(ring_)>)
      if (ring_.index() != format) return visit<format + 1>(work);
    auto* ring = std::get_if<format>(&ring_);
    if (ring == nullptr) __builtin_unreachable();  // without exceptions a variant always holds a value
    return work(*ring);
  }
  const MemorySnapshot& memory() const { return *memory_; }
  uint64_t features() const { return config_.features; }
  /// The counters of the current or latest burst. They are the ring's own if the burst was given none.
  uint64_t* stats() { return counters_->at; }
  /// Counts a burst at its end. `moved`: packets that it moved or dropped.
  void count_burst(uint32_t moved) {
    stats()[stat_bursts]++;
    stats()[stat_idle_bursts] += moved == 0;
  }

 private:
  Reason place(const MemorySnapshot& memory, RingPlace* out);
  bool loggable(const DirtyLog* log);
  void follow_log();
  void end();
  template <Ring R>
  void call(R& ring) {
    if (signals_log_) log_changed();
    call_if(ring.should_call());
  }
  void call_if(bool wanted);
  bool find_revoked();
  void log_changed();

  std::mutex mutex_;
  std::atomic<int> stopping_{0};
  std::atomic<bool> running_{false};
  std::atomic<Reason> fault_{Reason::none};
  RingConfig config_{};
  std::variant<SplitRing> ring_;
  std::shared_ptr<const MemorySnapshot> memory_;
  static constexpr uint64_t kNoPoisonEpoch = UINT64_MAX;
  uint64_t poison_epoch_ = kNoPoisonEpoch;  // when the ring's memory was last checked
  bool signals_log_ = false;                // SET_LOG_FD, and there is a log
  bool unfinished_ = false;
  uint32_t malformed_ = 0;
  uint32_t started_at_ = 0;
  std::shared_ptr<const Fd> kick_;
  Fd call_, error_;
  Counters own_;
  Counters* counters_ = &own_;
};

}  // namespace rxvhost
