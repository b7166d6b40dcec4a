// The control plane's effects on a device's memory besides its table: regions one by one, the dirty log, the
// MTU. As in devices.cc: arguments → core, nothing else; failures are negative reason numbers; file
// descriptors arrive as tokens and are consumed whatever happens.
#include <napi.h>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "core/base/eventfd.h"
#include "core/net/device.h"

namespace rxvhost::addon {

namespace {

RegionSpec region_arg(Args& args, size_t i) {
  const auto words = args.array<uint64_t>(i, napi_biguint64_array);
  if (words.size() < 4) {
    args.fail("[gpa, size, uaddr, offset]");
    return {};
  }
  return {words[0], words[1], words[2], words[3]};
}

// deviceAddRegion(id, region: BigUint64Array of [gpa, size, uaddr, offset], token): as deviceMap
Napi::Value add_region(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(2);
  const RegionSpec spec = region_arg(args, 1);
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = env_of(info.Env()).fds.take(token);
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  const Reason reason = device->add_region(spec, std::move(fd));
  if (reason != Reason::none) return refused(info, reason);
  return number(info, device->regions_on_disk());
}

// deviceRemoveRegion(id, region, lost: Uint32Array)
Napi::Value remove_region(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0);
  const RegionSpec spec = region_arg(args, 1);
  const auto lost_out = args.words(2);
  if (!args.ok()) return info.Env().Undefined();
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  std::vector<uint32_t> lost;
  const Reason reason = device->remove_region(spec, &lost);
  fill_list(lost_out, lost);
  return refused(info, reason);
}

// deviceLog(id, [size, offset], token)
Napi::Value set_log(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(2);
  const auto place = args.array<uint64_t>(1, napi_biguint64_array);
  if (place.size() < 2) args.fail("[size, offset]");
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = env_of(info.Env()).fds.take(token);
  auto device = Registry::get().find(id);
  return refused(info, device ? device->set_log(place[0], place[1], std::move(fd)) : Reason::device_gone);
}

// deviceLogCall(id, token): 0 = nobody is signalled any more
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

// ringLog(id, ring, on, address): the used ring's own marking
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
  auto device = Registry::get().find(args.u32(0));
  if (device) device->set_mtu(args.u32(1));
  return refused(info, device ? Reason::none : Reason::device_gone);
}

}  // namespace

void register_device_memory(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "deviceAddRegion", add_region);
  add_function(env, exports, "deviceRemoveRegion", remove_region);
  add_function(env, exports, "deviceLog", set_log);
  add_function(env, exports, "deviceLogCall", set_log_call);
  add_function(env, exports, "deviceLogBuffers", log_buffers);
  add_function(env, exports, "ringLog", ring_log);
  add_function(env, exports, "deviceMtu", set_mtu);
}

}  // namespace rxvhost::addon
