// Memory changes, and the functions with which JavaScript requests them. These functions only convert
// arguments and call core/. File descriptors arrive as tokens, and they are consumed even on failure.
#include "addon/memory_changes.h"

#include <napi.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/wakeup.h"
#include "core/base/eventfd.h"
#include "core/memory/memory_threads.h"

namespace rxvhost::addon {

// The queue into which threads put finished changes.
struct MemoryChanges::Returns {
  const Fd wake = make_eventfd();
  std::mutex mutex;
  std::deque<std::shared_ptr<MemoryChange>> changes;
  bool over = false;  // the env has ended, so nothing takes finished changes from the queue

  void add(std::shared_ptr<MemoryChange> change) {
    {
      std::lock_guard lock(mutex);
      if (over) return;  // the change is destroyed here, on this thread
      changes.push_back(std::move(change));
    }
    eventfd_write(wake.get(), 1);
  }

  std::shared_ptr<MemoryChange> take() {
    std::lock_guard lock(mutex);
    if (changes.empty()) return nullptr;
    auto change = std::move(changes.front());
    changes.pop_front();
    return change;
  }
};

MemoryChanges::MemoryChanges() : returns_(std::make_shared<Returns>()) {}

MemoryChanges::~MemoryChanges() {
  std::deque<std::shared_ptr<MemoryChange>> left;
  {
    std::lock_guard lock(returns_->mutex);
    returns_->over = true;
    left.swap(returns_->changes);
  }
  for (auto& change : left) freeing_threads().run(0, [change = std::move(change)] {});
}

int MemoryChanges::wake_fd() const { return returns_->wake.get(); }

Reason MemoryChanges::start(std::shared_ptr<MemoryChange> change) {
  const uint32_t driver = change->driver();
  const bool started =
      memory_threads().run(driver, [change = std::move(change), returns = returns_]() mutable {
        change->open();
        returns->add(std::move(change));
      });
  return started ? Reason::none : Reason::mem_map;
}

std::shared_ptr<MemoryChange> MemoryChanges::next() {
  while (auto change = returns_->take()) {
    if (change->committed()) return change;
    change->commit();
    if (change->holds_nothing()) return change;
    const bool goes_on = memory_threads().run(change->driver(), [change, returns = returns_]() mutable {
      change->close();
      returns->add(std::move(change));
    });
    if (goes_on) continue;
    change->close();
    return change;
  }
  return nullptr;
}

namespace {

MemoryChanges& changes_of(AddonEnv& env) {
  if (!env.memory_changes) env.memory_changes = std::make_unique<MemoryChanges>();
  return *env.memory_changes;
}

// memoryOpen(tag): returns 0 or a negative errno. An event with this tag means that memoryNext() may have a
// result.
Napi::Value memory_open(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t tag = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& env = env_of(info.Env());
  const int result =
      env.wakeup ? env.wakeup->watch(changes_of(env).wake_fd(), tag, WatchMode::edge_in) : -ENXIO;
  if (result < 0) env.memory_changes.reset();  // so that a later call tries again to get an fd
  return number(info, result);
}

// memoryChange(device, kind, regions: BigUint64Array of [gpa, size, uaddr, offset]…, tokens): returns 0 or a
// negative reason. If it returns 0, memoryNext() has the result later.
Napi::Value memory_change(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), kind = args.u32(1);
  const auto words = args.array<uint64_t>(2, napi_biguint64_array);
  const auto tokens = args.words(3);
  if (kind > static_cast<uint32_t>(MemoryChange::Kind::log)) args.fail("a kind of 0 to 3 was expected");
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& env = env_of(info.Env());
  std::vector<Fd> fds;
  for (const uint32_t token : tokens) fds.push_back(env.fds.take(token));
  std::vector<RegionSpec> specs;
  for (size_t i = 0; i + 4 <= words.size(); i += 4)
    specs.push_back({words[i], words[i + 1], words[i + 2], words[i + 3]});
  const auto device = Registry::get().find(id);
  const Reason reason =
      device ? changes_of(env).start(std::make_shared<MemoryChange>(
                   *device, static_cast<MemoryChange::Kind>(kind), std::move(specs), std::move(fds)))
             : Reason::device_gone;
  return refused(info, reason);
}

// memoryNext(result: Int32Array): returns a device whose change is finished, or 0. Writes to `result`: the
// number of regions on a disk or a negative reason; the number of rings that stopped because of the change;
// their indices.
Napi::Value memory_next(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto out = args.array<int32_t>(0, napi_int32_array);
  if (out.size() < 2) args.fail("an array with room for two numbers and the rings was expected");
  if (!args.ok()) return info.Env().Undefined();
  const auto& changes = env_of(info.Env()).memory_changes;
  const auto change = changes ? changes->next() : nullptr;
  if (!change) return number(info, 0);
  const bool failed = change->reason() != Reason::none;
  out[0] = failed ? -static_cast<int>(change->reason()) : static_cast<int32_t>(change->regions_on_disk());
  const size_t lost = std::min(change->lost().size(), out.size() - 2);
  out[1] = static_cast<int32_t>(lost);
  std::copy_n(change->lost().begin(), lost, out.begin() + 2);
  return number(info, change->device());
}

// deviceLoss(device): returns why a page of the device's memory was missing, as a number of Loss; 0 = not
// known
Napi::Value device_loss(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto device = Registry::get().find(args.u32(0));
  if (!args.ok()) return info.Env().Undefined();
  return number(info, static_cast<int>(device ? device->loss() : Loss::unknown));
}

// deviceRevoked(device): returns 1 if a page of the current memory or of its dirty log was missing
Napi::Value device_revoked(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto device = Registry::get().find(args.u32(0));
  if (!args.ok()) return info.Env().Undefined();
  return number(info, device && device->revoked() ? 1 : 0);
}

}  // namespace

void register_memory_changes(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "memoryOpen", memory_open);
  add_function(env, exports, "memoryChange", memory_change);
  add_function(env, exports, "memoryNext", memory_next);
  add_function(env, exports, "deviceLoss", device_loss);
  add_function(env, exports, "deviceRevoked", device_revoked);
}

}  // namespace rxvhost::addon
