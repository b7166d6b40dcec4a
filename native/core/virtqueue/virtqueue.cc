#include "core/virtqueue/virtqueue.h"

#include "core/virtqueue/notifier.h"

namespace rxvhost {

namespace {

// Control's side of the lock: announced first, so that data, which only tries, stays away.
class Control {
 public:
  Control(std::mutex& mutex, std::atomic<int>& stopping) : stopping_(stopping) {
    stopping_.fetch_add(1, std::memory_order_release);
    lock_ = std::unique_lock(mutex);
  }
  ~Control() {
    lock_.unlock();
    stopping_.fetch_sub(1, std::memory_order_release);
  }

 private:
  std::atomic<int>& stopping_;
  std::unique_lock<std::mutex> lock_;
};

bool aligned(const uint8_t* at, const RingLayout::Area& area) {
  return reinterpret_cast<uintptr_t>(at) % area.alignment == 0;
}

}  // namespace

Reason Virtqueue::place(const MemorySnapshot& memory, RingPlace* out) {
  const auto [descriptor, driver, device] =
      visit([&](const auto& ring) { return ring.layout(config_.size); });
  const RingPlace at = {memory.user_range(config_.desc, descriptor.bytes),
                        memory.user_range(config_.avail, driver.bytes),
                        memory.user_range(config_.used, device.bytes)};
  if (!at.descriptor || !at.driver || !at.device) return Reason::vq_addr;
  if (!aligned(at.descriptor, descriptor) || !aligned(at.driver, driver) || !aligned(at.device, device))
    return Reason::vq_align;
  // What we write must not overwrite descriptors.
  if (at.descriptor < at.device + device.bytes && at.device < at.descriptor + descriptor.bytes)
    return Reason::vq_addr;
  *out = at;
  return Reason::none;
}

bool Virtqueue::loggable(const DirtyLog* log) {
  if (!config_.log_used || log == nullptr) return true;
  return log->covers(config_.log, visit([&](const auto& ring) { return ring.logged_bytes(config_.size); }));
}

Reason Virtqueue::start(const RingConfig& config, std::shared_ptr<const MemorySnapshot> memory) {
  Control control(mutex_, stopping_);
  if (!visit([&](const auto& ring) { return ring.valid_size(config.size); })) return Reason::vq_size;
  if (!memory) return Reason::mem_missing;
  if (running()) return Reason::vq_running;
  config_ = config;
  RingPlace at{};
  if (Reason reason = place(*memory, &at); reason != Reason::none) return reason;
  if (!loggable(memory->logging().log.get())) return Reason::log_range;
  // Before the first look at the memory: what is taken away from here on is for the next burst to notice.
  poison_epoch_ = poison_epoch();
  const bool event_index = config.features >> VIRTIO_RING_F_EVENT_IDX & 1;
  started_at_ = visit([&](auto& ring) {
    ring.start(at, config.size, config.base, event_index);
    return ring.base();
  });
  if (memory->poisoned()) return Reason::memory_revoked;
  memory_ = std::move(memory);
  follow_log();
  malformed_ = 0;
  unfinished_ = false;
  fault_.store(Reason::none, std::memory_order_release);
  running_.store(true, std::memory_order_release);
  counters_ = &own_;
  visit([&](auto& ring) { call(ring); });
  return Reason::none;
}

int64_t Virtqueue::stop() {
  Control control(mutex_, stopping_);
  if (!running()) return -1;
  end();
  return visit([](const auto& ring) { return ring.base(); });
}

// Under the lock: from here on nothing touches ring or memory.
void Virtqueue::end() {
  running_.store(false, std::memory_order_release);
  visit([](auto& ring) { ring.log_used(nullptr, 0); });
  memory_.reset();
}

Reason Virtqueue::move(std::shared_ptr<const MemorySnapshot> memory) {
  Control control(mutex_, stopping_);
  if (!running()) return Reason::none;
  RingPlace at{};
  if (const Reason reason = place(*memory, &at); reason != Reason::none) {
    end();
    return reason;
  }
  visit([&](auto& ring) { ring.move(at); });
  memory_ = std::move(memory);
  poison_epoch_ = kNoPoisonEpoch;  // what was poisoned so far may be in this one
  follow_log();
  return Reason::none;
}

Reason Virtqueue::set_log(bool on, uint64_t address) {
  Control control(mutex_, stopping_);
  const RingConfig before = config_;
  config_.log_used = on;
  config_.log = address;
  if (!running()) return Reason::none;  // start() brings its own
  if (loggable(memory_->logging().log.get())) {
    follow_log();
    return Reason::none;
  }
  config_ = before;
  return Reason::log_range;
}

bool Virtqueue::fits(const DirtyLog& log) {
  Control control(mutex_, stopping_);
  return !running() || loggable(&log);
}

void Virtqueue::follow_log() {
  const DirtyLog* log = memory_->logging().log.get();
  signals_log_ = log != nullptr && memory_->logging().call != nullptr;
  const bool on = config_.log_used && log != nullptr && loggable(log);
  visit([&](auto& ring) { ring.log_used(on ? log : nullptr, config_.log); });
}

void Virtqueue::set_call(Fd fd) {
  Control control(mutex_, stopping_);
  call_ = std::move(fd);
  if (running() && call_) notify(call_);
}

void Virtqueue::set_error(Fd fd) {
  Control control(mutex_, stopping_);
  error_ = std::move(fd);
}

Virtqueue::Use::Use(Virtqueue& queue, Counters* into) {
  if (queue.stopping_.load(std::memory_order_acquire) || !queue.running()) return;
  if (!queue.mutex_.try_lock()) return;
  if (!queue.running() || queue.fault() != Reason::none) {
    queue.mutex_.unlock();
    return;
  }
  locked_ = &queue.mutex_;
  queue.counters_ = into != nullptr ? into : &queue.own_;
}

void Virtqueue::latch(Reason reason) {
  // The zero pages that took the place of the guest's memory look like one lie or another: that is why.
  if (memory_ && memory_->poisoned()) reason = Reason::memory_revoked;
  Reason none = Reason::none;
  if (!fault_.compare_exchange_strong(none, reason)) return;
  if (error_) notify(error_);
}

// Signals a front end that asked to hear of changes of its log. No front end is known to ask while it
// migrates.
void Virtqueue::log_changed() {
  if (notify(*memory_->logging().call) == NotifyResult::stuck) latch(Reason::call_stuck);
}

void Virtqueue::call_if(bool wanted) {
  if (!wanted) {
    stats()[stat_calls_suppressed]++;
    return;
  }
  if (!call_) return;
  switch (notify(call_)) {
    case NotifyResult::sent:
    case NotifyResult::already_pending:
      stats()[stat_calls]++;
      break;
    case NotifyResult::failed:
      stats()[stat_call_errors]++;
      break;
    case NotifyResult::stuck:
      stats()[stat_call_errors]++;
      latch(Reason::call_stuck);
  }
}

bool Virtqueue::find_revoked() {
  const uint64_t epoch = poison_epoch();
  if (memory_->poisoned()) {
    latch(Reason::memory_revoked);
    return true;  // and again at the next question
  }
  poison_epoch_ = epoch;  // somebody else's
  return false;
}

bool Virtqueue::arm_kick() {
  Use use(*this);
  if (!use) return false;
  const bool more = visit([](auto& ring) { return ring.arm_kick(); }) || unfinished_;
  unfinished_ = false;
  if (signals_log_) log_changed();
  return more;
}

void Virtqueue::suppress_kick() {
  Use use(*this);
  if (!use) return;
  visit([](auto& ring) { ring.suppress_kick(); });
  if (signals_log_) log_changed();
}

bool Virtqueue::reads_as_zero() {
  Use use(*this);
  return use && visit([](const auto& ring) { return ring.reads_as_zero(); });
}

}  // namespace rxvhost
