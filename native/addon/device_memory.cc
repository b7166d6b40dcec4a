// Sets up a device's dirty log, the eventfd that signals changes of the log, and the MTU. memory_changes.cc
// changes the memory itself. As in devices.cc, the functions only convert arguments and call core/. On
// failure, they return a negative reason number. File descriptors arrive as tokens, and they are consumed
// even on failure.
#include <napi.h>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "core/base/eventfd.h"
#include "core/net/net_device.h"

namespace rxvhost::addon {

namespace {

// deviceLogCall(id, token): sets the eventfd; token 0 = no eventfd
Napi::Value set_log_call(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(1);
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = env_of(info.Env()).fds.take(token);
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  if (token != 0 && !take_notifier(fd.get())) return refused(info, Reason::fd_type);
  device->set_log_call(std::move(fd));
  return refused(info, Reason::none);
}

// deviceLogBuffers(id, on)
Napi::Value log_buffers(const Napi::CallbackInfo& info) {
  Args args(info);
  auto device = Registry::get().find(args.u32(0));
  if (device) device->log_buffers(args.boolean(1));
  return refused(info, device ? Reason::none : Reason::device_gone);
}

// ringLog(id, ring, on, address): sets whether writes of the used ring are marked, and its address in the log
Napi::Value ring_log(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), index = args.u32(1);
  const bool on = args.boolean(2);
  const uint64_t address = args.u64(3);
  if (!args.ok()) return info.Env().Undefined();
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  Virtqueue* ring = device->ring(index);
  return refused(info, ring ? ring->set_log(on, address) : Reason::vq_index);
}

// deviceMtu(id, mtu)
Napi::Value set_mtu(const Napi::CallbackInfo& info) {
  Args args(info);
  auto device = find_net_device(args.u32(0));
  if (device) device->set_mtu(args.u32(1));
  return refused(info, device ? Reason::none : Reason::device_gone);
}

}  // namespace

void register_device_memory(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "deviceLogCall", set_log_call);
  add_function(env, exports, "deviceLogBuffers", log_buffers);
  add_function(env, exports, "ringLog", ring_log);
  add_function(env, exports, "deviceMtu", set_mtu);
}

}  // namespace rxvhost::addon
