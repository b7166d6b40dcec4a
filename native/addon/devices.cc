// The control plane's effects on devices and rings. The functions only convert arguments and call core/. On
// failure, they return a negative reason number (core/base/result.h). File descriptors arrive as tokens, and
// they are consumed even on failure.
#include <napi.h>

#include <algorithm>
#include <atomic>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/queues.h"
#include "core/base/eventfd.h"
#include "core/net/net_device.h"

namespace rxvhost::addon {

namespace {

QueueTable& queues(AddonEnv& env) {
  if (!env.queues) env.queues = std::make_unique<QueueTable>(env);
  return *env.queues;
}

// driverNumber(): returns a number that no other driver of this process has
Napi::Value driver_number(const Napi::CallbackInfo& info) {
  static std::atomic<uint32_t> last = 0;
  return number(info, ++last);
}

// deviceCreate(driver): returns the id
Napi::Value device_create(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t driver = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  auto device = Registry::get().create<NetDevice>(driver);
  queues(env_of(info.Env())).devices.push_back(device->id());
  return number(info, device->id());
}

// deviceDestroy(id)
void device_destroy(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0);
  auto& mine = queues(env_of(info.Env())).devices;
  const auto it = std::find(mine.begin(), mine.end(), id);
  if (it == mine.end()) return;
  mine.erase(it);
  Registry::get().destroy(id);
}

// ringFd(id, ring, which: 0 kick | 1 call | 2 error, token)
Napi::Value ring_fd(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), index = args.u32(1), which = args.u32(2), token = args.u32(3);
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& env = env_of(info.Env());
  Fd fd = env.fds.take(token);
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  Virtqueue* ring = device->ring(index);
  if (ring == nullptr) return refused(info, Reason::vq_index);
  if (token != 0 && !take_notifier(fd.get())) return refused(info, Reason::fd_type);
  switch (which) {
    case 0:
      return refused(info, queues(env).change_kick(*ring, std::move(fd)));
    case 1:
      ring->set_call(std::move(fd));
      break;
    default:
      ring->set_error(std::move(fd));
  }
  return number(info, 0);
}

// ringStart(id, ring, [size, base, flags], [desc, used, avail, log], features: bigint): returns the index
// from which the ring continues
Napi::Value ring_start(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), index = args.u32(1);
  const auto config = args.words(2);
  const auto addresses = args.array<uint64_t>(3, napi_biguint64_array);
  const uint64_t features = args.u64(4);
  if (config.size() < 3 || addresses.size() < 4)
    args.fail("the arrays [size, base, flags] and [desc, used, avail, log] were expected");
  if (!args.ok()) return info.Env().Undefined();
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  const bool log_used = config[2] & 1;  // VHOST_VRING_F_LOG
  const Reason reason = device->start(index, {config[0], config[1], addresses[0], addresses[1], addresses[2],
                                              features, log_used, addresses[3]});
  return reason == Reason::none ? number(info, device->ring(index)->started_at()) : refused(info, reason);
}

// ringStop(id, ring): returns the base, or -1 if the ring was not running
Napi::Value ring_stop(const Napi::CallbackInfo& info) {
  Args args(info);
  auto device = Registry::get().find(args.u32(0));
  Virtqueue* ring = device ? device->ring(args.u32(1)) : nullptr;
  return number(info, ring ? static_cast<double>(ring->stop()) : -1);
}

// deviceCount(): returns the number of devices in the whole process
Napi::Value device_count(const Napi::CallbackInfo& info) {
  return number(info, static_cast<double>(Registry::get().size()));
}

// reasonNames(): returns the names of all reasons of core/base/result.h, in order
Napi::Value reason_names(const Napi::CallbackInfo& info) {
  const uint32_t n = static_cast<uint32_t>(Reason::count_);
  Napi::Array names = Napi::Array::New(info.Env(), n);
  for (uint32_t i = 0; i < n; i++)
    names.Set(i, Napi::String::New(info.Env(), reason_name(static_cast<Reason>(i))));
  return names;
}

}  // namespace

void register_devices(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "deviceCreate", device_create);
  add_function(env, exports, "deviceDestroy", device_destroy);
  add_function(env, exports, "driverNumber", driver_number);
  add_function(env, exports, "ringFd", ring_fd);
  add_function(env, exports, "ringStart", ring_start);
  add_function(env, exports, "ringStop", ring_stop);
  add_function(env, exports, "deviceCount", device_count);
  add_function(env, exports, "reasonNames", reason_names);
}

}  // namespace rxvhost::addon
