// TAP interfaces by handle. The functions only convert arguments and call core/tap. tapRead and tapWrite run
// once per burst. As with dequeue and enqueue, slot ids pass through the shared exchange array.
#include "addon/tap.h"

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/hot.h"
#include "addon/queues.h"
#include "addon/show.h"
#include "addon/wakeup.h"

namespace rxvhost::addon {

TapTable::~TapTable() {
  for (const auto& [_, tap] : taps_)
    if (env_.wakeup) env_.wakeup->unwatch(tap->fd());
}

uint32_t TapTable::add(std::unique_ptr<Tap> tap) {
  taps_.emplace(++last_, std::move(tap));
  return last_;
}

void TapTable::remove(uint32_t handle) {
  const auto found = taps_.find(handle);
  if (found == taps_.end()) return;
  if (env_.wakeup) env_.wakeup->unwatch(found->second->fd());
  taps_.erase(found);
}

namespace {

struct Hot : HotArgs {
  Tap* tap = nullptr;
  Pool* pool = nullptr;
  uint32_t* slots = nullptr;  // in the exchange; null if an argument is invalid

  // Argument 1 is `count`, and argument 2 is `at`.
  Hot(napi_env from, napi_callback_info info) : HotArgs(from, info) {
    if (env == nullptr || !env->taps || !env->queues || !env->queues->pool->is_open()) return;
    tap = env->taps->get(numbers[0]);
    pool = env->queues->pool.get();
    if (tap != nullptr) slots = pool->exchange(numbers[2], numbers[1]);
  }
};

// tapWrite(tap, count, at)
napi_value tap_write(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.slots == nullptr) return hot_result(env, kBurstStopped);
  return hot_result(env, call.tap->write_burst(*call.pool, call.slots, call.numbers[1]));
}

// tapRead(tap, max, at, account)
napi_value tap_read(napi_env env, napi_callback_info info) {
  const Hot call(env, info);
  if (call.slots == nullptr) return hot_result(env, kBurstStopped);
  const uint32_t max = call.numbers[1], account = call.numbers[3];
  return hot_result(env, call.tap->read_burst(*call.pool, account, max, call.slots));
}

Tap* tap_arg(const Napi::CallbackInfo& info, Args& args) {
  const uint32_t handle = args.u32(0);
  AddonEnv& env = env_of(info.Env());
  return args.ok() && env.taps ? env.taps->get(handle) : nullptr;
}

// tapOpen(name, fd): returns a handle or a negative errno. If `fd` is 0 or more, it is used instead of
// opening an interface by name.
Napi::Value tap_open(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(0);
  const int32_t fd = args.i32(1);
  if (!args.ok()) return info.Env().Undefined();
  std::unique_ptr<Tap> tap;
  if (const int error = fd >= 0 ? Tap::adopt(fd, &tap) : Tap::open(name.c_str(), &tap); error != 0)
    return number(info, error);
  AddonEnv& env = env_of(info.Env());
  if (!env.taps) env.taps = std::make_unique<TapTable>(env);
  return number(info, env.taps->add(std::move(tap)));
}

void tap_close(const Napi::CallbackInfo& info) {
  Args args(info);
  if (tap_arg(info, args) != nullptr) env_of(info.Env()).taps->remove(args.u32(0));
}

Napi::Value tap_name(const Napi::CallbackInfo& info) {
  Args args(info);
  const Tap* tap = tap_arg(info, args);
  return Napi::String::New(info.Env(), tap ? tap->name() : "");
}

// tapSetUp(tap, mtu, persist, up): returns 0 or a negative errno. An `mtu` of 0 leaves the MTU unchanged.
Napi::Value tap_set_up(const Napi::CallbackInfo& info) {
  Args args(info);
  Tap* tap = tap_arg(info, args);
  const uint32_t mtu = args.u32(1);
  int error = tap == nullptr ? -EBADF : 0;
  if (error == 0 && mtu != 0) error = tap->set_mtu(mtu);
  if (error == 0 && args.boolean(2)) error = tap->persist();
  if (error == 0 && args.boolean(3)) error = tap->set_up();
  return number(info, error);
}

// tapOffloads(tap, features): returns 0 or a negative errno
Napi::Value tap_offloads(const Napi::CallbackInfo& info) {
  Args args(info);
  Tap* tap = tap_arg(info, args);
  const uint64_t features = args.u64(1);
  return number(info, tap == nullptr ? -EBADF : tap->set_offloads(features));
}

// tapArm(tap, tag): returns 0 or a negative errno. Frames are reported with `tag`, including frames that are
// already waiting.
Napi::Value tap_arm(const Napi::CallbackInfo& info) {
  Args args(info);
  const Tap* tap = tap_arg(info, args);
  const uint32_t tag = args.u32(1);
  const auto& wakeup = env_of(info.Env()).wakeup;
  return number(info, tap && wakeup ? wakeup->watch(tap->fd(), tag, WatchMode::edge_in) : -EBADF);
}

void tap_suppress(const Napi::CallbackInfo& info) {
  Args args(info);
  const Tap* tap = tap_arg(info, args);
  if (const auto& wakeup = env_of(info.Env()).wakeup; tap && wakeup) wakeup->unwatch(tap->fd());
}

// tapError(tap): returns the positive errno that made the interface unusable; 0 = none
Napi::Value tap_error(const Napi::CallbackInfo& info) {
  Args args(info);
  const Tap* tap = tap_arg(info, args);
  return number(info, tap ? tap->error() : 0);
}

// tapCounters(tap, toHost): returns the counters of one direction, in the order of Stat
Napi::Value tap_counters(const Napi::CallbackInfo& info) {
  Args args(info);
  const Tap* tap = tap_arg(info, args);
  const bool to_host = args.boolean(1);
  if (tap == nullptr) return info.Env().Undefined();
  const auto& counters = to_host ? tap->to_host() : tap->from_host();
  return show_counters(info.Env(), counters, counters.get());
}

}  // namespace

void register_tap(Napi::Env env, Napi::Object exports) {
  hot_function(env, exports, "tapRead", tap_read);
  hot_function(env, exports, "tapWrite", tap_write);
  add_function(env, exports, "tapOpen", tap_open);
  add_function(env, exports, "tapClose", tap_close);
  add_function(env, exports, "tapName", tap_name);
  add_function(env, exports, "tapSetUp", tap_set_up);
  add_function(env, exports, "tapOffloads", tap_offloads);
  add_function(env, exports, "tapArm", tap_arm);
  add_function(env, exports, "tapSuppress", tap_suppress);
  add_function(env, exports, "tapError", tap_error);
  add_function(env, exports, "tapCounters", tap_counters);
}

}  // namespace rxvhost::addon
