// The functions of the data plane. They only convert arguments and call core/. dequeue, spinWait, enqueue,
// arm and suppress run once per burst, so they are plain Node-API functions that read numbers and return a
// number. Slot ids pass through the shared exchange array.
#include "addon/queues.h"

#include <napi.h>

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/hot.h"
#include "addon/show.h"
#include "addon/wakeup.h"
#include "core/net/dequeue.h"
#include "core/net/enqueue.h"
#include "core/net/spin_wait.h"

namespace rxvhost::addon {

QueueTable::~QueueTable() {
  for (Queue& queue : queues_)
    if (queue.device) unwatch(queue);
  for (uint32_t id : devices) Registry::get().destroy(id);
}

uint32_t QueueTable::open(std::shared_ptr<NetDevice> device, uint32_t index, uint32_t account) {
  uint32_t handle;
  if (!free_.empty()) {
    handle = free_.back();
    free_.pop_back();
  } else {
    handle = static_cast<uint32_t>(queues_.size());
    queues_.emplace_back();
    if (handle % kBlock == 0) blocks_.push_back(std::make_shared<CounterBlock>());
  }
  Queue& queue = queues_[handle];
  queue.ring = device->ring(index);
  queue.device = std::move(device);
  queue.account = account;
  queue.counters = &block(handle)->of[handle % kBlock];
  *queue.counters = Counters();
  by_ring_.emplace(queue.ring, handle);
  return handle;
}

void QueueTable::close(uint32_t handle) {
  Queue* queue = find(handle);
  if (queue == nullptr) return;
  unwatch(*queue);
  const auto [first, last] = by_ring_.equal_range(queue->ring);
  by_ring_.erase(std::find_if(first, last, [handle](const auto& entry) { return entry.second == handle; }));
  *queue = Queue();
  std::ranges::replace(recent_, handle, UINT32_MAX);  // a new queue may get this handle
  free_.push_back(handle);
}

std::span<Virtqueue* const> QueueTable::recent_sinks() {
  uint32_t count = 0;
  for (uint32_t handle : recent_)
    if (Queue* queue = find(handle)) sinks_[count++] = queue->ring;
  return {sinks_.data(), count};
}

std::shared_ptr<const Fd> QueueTable::add_watch(std::shared_ptr<const Fd> kick, uint32_t tag) {
  if (env_.wakeup->watches(kick->get()))
    kick = std::make_shared<const Fd>(fcntl(kick->get(), F_DUPFD_CLOEXEC, 3));
  return env_.wakeup->watch(kick->get(), tag, WatchMode::edge_in) == 0 ? kick : nullptr;
}

Reason QueueTable::watch(Queue& queue, uint32_t tag) {
  unwatch(queue);
  queue.watching = true;
  queue.tag = tag;
  const std::shared_ptr<const Fd>& kick = queue.ring->kick();
  if (!env_.wakeup || !kick)
    return Reason::none;  // without a kick fd, the ring is polled, or change_kick() watches the fd later
  queue.watched = add_watch(kick, tag);
  return queue.watched ? Reason::none : Reason::kick_watch;
}

void QueueTable::unwatch(Queue& queue) {
  if (queue.watched && env_.wakeup) env_.wakeup->unwatch(queue.watched->get());
  queue.watched.reset();
  queue.watching = false;
}

// Watches the new fd before it removes the old fd. In the opposite order, an error with the new fd would make
// it necessary to watch the old fd again, and this could fail, too.
Reason QueueTable::change_kick(Virtqueue& ring, Fd fd) {
  const auto kick = fd ? std::make_shared<const Fd>(std::move(fd)) : nullptr;
  std::vector<std::pair<Queue*, std::shared_ptr<const Fd>>> moves;
  const auto [first, last] = by_ring_.equal_range(&ring);
  for (auto entry = first; entry != last; ++entry)
    if (Queue& queue = queues_[entry->second]; queue.watching)
      moves.emplace_back(&queue, env_.wakeup && kick ? add_watch(kick, queue.tag) : nullptr);
  const bool failed =
      env_.wakeup && kick && std::ranges::any_of(moves, [](const auto& move) { return !move.second; });
  for (auto& [queue, watched] : moves) {
    if (!failed) std::swap(queue->watched, watched);
    if (watched && env_.wakeup) env_.wakeup->unwatch(watched->get());
  }
  if (failed) return Reason::kick_watch;
  ring.set_kick(kick);
  return Reason::none;
}

namespace {

// --- functions that run once per burst ---

struct Hot : HotArgs {
  QueueTable* table = nullptr;
  QueueTable::Queue* queue = nullptr;
  uint32_t count = numbers[1];
  uint32_t* slots = nullptr;  // of the exchange

  Hot(napi_env from, napi_callback_info info) : HotArgs(from, info) {
    if (env == nullptr || !env->queues) return;
    table = env->queues.get();
    queue = table->find(numbers[0]);
    if (table->pool->is_open()) slots = table->pool->exchange(numbers[2], count);
  }
};

napi_value dequeue(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.queue == nullptr || call.slots == nullptr) return hot_result(env, kBurstStopped);
  return hot_result(env, dequeue_burst(*call.queue->ring, *call.table->pool, call.queue->account, call.count,
                                       call.slots, call.queue->counters));
}

napi_value enqueue(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.queue == nullptr || call.slots == nullptr) return hot_result(env, kBurstStopped);
  call.table->given(call.numbers[0]);
  const QueueTable::Queue& queue = *call.queue;
  return hot_result(env, enqueue_burst(*queue.ring, *call.table->pool, call.slots, call.count, queue.counters,
                                       queue.device->mtu()));
}

// arm(handle): returns 0 if a kick will come, 1 if chains are already available, or 2 if no kick will come,
// so that the ring must be polled
napi_value arm(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.queue == nullptr) return hot_result(env, 0);
  Virtqueue& ring = *call.queue->ring;
  return hot_result(env, ring.arm_kick() ? 1 : ring.running() && !ring.kick() ? 2 : 0);
}

napi_value suppress(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.queue != nullptr) call.queue->ring->suppress_kick();
  return nullptr;
}

napi_value spin_wait(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.queue == nullptr || call.slots == nullptr) return hot_result(env, kBurstStopped);
  Virtqueue& ring = *call.queue->ring;
  QueueTable& table = *call.table;
  table.spin_waited += rxvhost::spin_wait(ring, *table.pool, table.recent_sinks());
  return hot_result(env, dequeue_burst(ring, *call.table->pool, call.queue->account, call.count, call.slots,
                                       call.queue->counters));
}

// --- functions for set-up ---

// queueOpen(device, ring, account): returns a handle or a negative reason
Napi::Value queue_open(const Napi::CallbackInfo& info) {
  Args args(info);
  AddonEnv& env = env_of(info.Env());
  auto device = find_net_device(args.u32(0));
  const uint32_t index = args.u32(1), account = args.u32(2);
  if (!args.ok()) return info.Env().Undefined();
  Reason reason = !device ? Reason::device_gone : index >= kMaxRings ? Reason::vq_index : Reason::none;
  if (reason != Reason::none) return refused(info, reason);
  if (!env.queues) env.queues = std::make_unique<QueueTable>(env);
  return number(info, env.queues->open(std::move(device), index, account));
}

QueueTable::Queue* queue_arg(const Napi::CallbackInfo& info) {
  AddonEnv& env = env_of(info.Env());
  return env.queues ? env.queues->find(Args(info).u32(0)) : nullptr;
}

void queue_close(const Napi::CallbackInfo& info) {
  AddonEnv& env = env_of(info.Env());
  if (env.queues) env.queues->close(Args(info).u32(0));
}

void queue_unwatch(const Napi::CallbackInfo& info) {
  if (QueueTable::Queue* queue = queue_arg(info)) env_of(info.Env()).queues->unwatch(*queue);
}

// queueWatch(handle, tag): returns 0 or a negative reason. The ring's kicks are reported with `tag`.
Napi::Value queue_watch(const Napi::CallbackInfo& info) {
  QueueTable::Queue* queue = queue_arg(info);
  AddonEnv& env = env_of(info.Env());
  const Reason reason = queue ? env.queues->watch(*queue, Args(info).u32(1)) : Reason::device_gone;
  return refused(info, reason);
}

// queueFault(handle): returns the reason of the ring's fault; 0 = none
Napi::Value queue_fault(const Napi::CallbackInfo& info) {
  QueueTable::Queue* queue = queue_arg(info);
  return number(info, queue ? static_cast<int>(queue->ring->fault()) : 0);
}

// queueReadsZero(handle): returns whether the ring's memory looks as if it was never written
Napi::Value queue_reads_zero(const Napi::CallbackInfo& info) {
  QueueTable::Queue* queue = queue_arg(info);
  return Napi::Boolean::New(info.Env(), queue != nullptr && queue->ring->reads_as_zero());
}

// queueCounters(handle): returns the counters of all handles in this handle's block. Each handle's counters
// are in the order of Stat.
Napi::Value queue_counters(const Napi::CallbackInfo& info) {
  if (queue_arg(info) == nullptr) return info.Env().Undefined();
  const auto& block = env_of(info.Env()).queues->block(Args(info).u32(0));
  return show_counters(info.Env(), block, block->of.data(), block->of.size());
}

Napi::ArrayBuffer show(Napi::Env env, const std::shared_ptr<Pool>& pool, Pool::Area area) {
  return addon::show(env, pool, area.data, area.size);
}

Napi::Value words(Napi::Env env, const std::shared_ptr<Pool>& pool, Pool::Area area) {
  return Napi::Uint32Array::New(env, area.size / sizeof(uint32_t), show(env, pool, area), 0);
}

// spinWaited(): returns the nanoseconds that this env has spent in spinWait() at empty rings
Napi::Value spin_waited(const Napi::CallbackInfo& info) {
  const AddonEnv& env = env_of(info.Env());
  return number(info, env.queues ? static_cast<double>(env.queues->spin_waited.count()) : 0);
}

// poolOpen(bytes): returns the arrays of src/data/pool/pool.ts. An env has one pool, so a second call returns
// undefined.
Napi::Value pool_open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  AddonEnv& own = env_of(env);
  if (!own.queues) own.queues = std::make_unique<QueueTable>(own);
  QueueTable& table = *own.queues;
  const double bytes = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (table.pool->is_open() || !(bytes > 0 && bytes < 4e9) || !table.pool->open(static_cast<uint64_t>(bytes)))
    return env.Undefined();
  const auto& pool = table.pool;
  Napi::Object out = Napi::Object::New(env);
  out.Set("bytes", show(env, pool, pool->bytes_area()));
  out.Set("meta", words(env, pool, pool->meta_area()));
  out.Set("freeSmall", words(env, pool, pool->free_area(Pool::small)));
  out.Set("freeLarge", words(env, pool, pool->free_area(Pool::large)));
  out.Set("cursors", words(env, pool, pool->cursors_area()));
  out.Set("accounts", words(env, pool, pool->accounts_area()));
  out.Set("exchange", words(env, pool, pool->exchange_area()));
  return out;
}

}  // namespace

void register_queues(Napi::Env env, Napi::Object exports) {
  hot_function(env, exports, "dequeue", dequeue);
  hot_function(env, exports, "enqueue", enqueue);
  hot_function(env, exports, "arm", arm);
  hot_function(env, exports, "suppress", suppress);
  hot_function(env, exports, "spinWait", spin_wait);
  add_function(env, exports, "queueOpen", queue_open);
  add_function(env, exports, "queueClose", queue_close);
  add_function(env, exports, "queueWatch", queue_watch);
  add_function(env, exports, "queueUnwatch", queue_unwatch);
  add_function(env, exports, "queueFault", queue_fault);
  add_function(env, exports, "queueReadsZero", queue_reads_zero);
  add_function(env, exports, "queueCounters", queue_counters);
  add_function(env, exports, "spinWaited", spin_waited);
  add_function(env, exports, "poolOpen", pool_open);
}

}  // namespace rxvhost::addon
