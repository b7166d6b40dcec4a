// One ring of one device, of any format, with everything that outlives a burst: its lock, its state, its
// latch, its fds and counters. Control starts and stops it, data runs bursts on it.
//
// States. stopped: start() leaves it; nothing may touch guest memory. running: bursts run; stop(), move() and
//   latch() leave it. latched: after a fault of the guest; the ring reads and writes nothing more until it
//   was stopped and started again.
// Lock. One mutex. Data tries it and first looks at `stopping`, so that control, which waits for it, is never
//   starved. It is never held while JavaScript runs.
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
  uint32_t base;               // what the front end says; the format may know better
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
  /// The base at which the last start() began, which may be another than it was told.
  uint32_t started_at() const { return started_at_; }
  /// The base to restart from, or -1 if it was not running. After it returns nothing touches ring or memory.
  int64_t stop();
  /// Runs on from another table. vq_addr: the ring is not in it, and is stopped.
  Reason move(std::shared_ptr<const MemorySnapshot> memory);
  /// Begins or ends the marking of the used ring. log_range: the log has no bits for it, nothing has changed.
  Reason set_log(bool on, uint64_t address);
  /// Would its used ring have bits in this log?
  bool fits(const DirtyLog& log);
  void set_kick(std::shared_ptr<const Fd> kick) { kick_ = std::move(kick); }
  /// Swaps the call fd and signals the new one once, so that an interrupt due in between is not lost (Q33).
  void set_call(Fd fd);
  void set_error(Fd fd);
  /// Shared with who watches it: an fd leaves its epoll before it is closed.
  const std::shared_ptr<const Fd>& kick() const { return kick_; }
  bool running() const { return running_.load(std::memory_order_acquire); }
  Reason fault() const { return fault_.load(std::memory_order_acquire); }

  // --- data ---
  /// The ring, locked, if it may be used now. Holds the lock until destroyed. What happens meanwhile is
  /// counted in `into`, or with the ring itself.
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
  /// Stops the ring for good after a guest's fault: signals its error fd, keeps the first reason.
  void latch(Reason reason);
  /// Within a burst: publishes what is staged; false, and nothing is, if the memory was taken away.
  template <Ring R>
  bool publish_early(R& ring) {
    if (__builtin_expect(revoked(), 0)) return false;
    ring.publish();
    return true;
  }
  /// After a burst: publish, and one call if the driver wants it.
  template <Ring R>
  void finish_burst(R& ring) {
    ring.publish();
    if (ring.call_due()) call(ring);
  }
  /// A burst ended before the ring did, for the work that it was: the next arm_kick() says that there is
  /// more.
  void leave_unfinished() { unfinished_ = true; }
  /// True when the memory that the ring runs on was taken away; the ring is then latched.
  bool revoked() { return poison_epoch() != poison_epoch_ && find_revoked(); }
  bool malformed(uint32_t in_a_row) { return (malformed_ += in_a_row) > kMalformedBudget; }
  void well_formed() { malformed_ = 0; }

  bool arm_kick();
  void suppress_kick();
  bool reads_as_zero();

  /// Runs `work` on the ring, whose type is that of its format: once a burst, with all loops below it. A
  /// burst has a frame so large that the compiler would not inline it through std::visit.
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
  /// What the latest burst counts in; before the first one, and with no other given, the ring's own.
  uint64_t* stats() { return counters_->at; }
  /// At the end of a burst, with what it moved or dropped.
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
  uint64_t poison_epoch_ = kNoPoisonEpoch;  // at the last look whether it is this memory
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
