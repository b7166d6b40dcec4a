// The control plane's effects on a device's memory besides its table: regions one by one, the dirty log, the
// MTU. As in devices.cc: arguments → core, nothing else; failures are negative reason numbers; file
// descriptors arrive as tokens and are consumed whatever happens.
#include <napi.h>

#include <fcntl.h>

#include <algorithm>

#include "addon/args.h"
#include "addon/env.h"
#include "core/base/eventfd.h"
#include "core/net/device.h"

namespace rxvhost::addon {

namespace {

Napi::Value refused(const Napi::CallbackInfo& info, Reason reason) {
  return Napi::Number::New(info.Env(), -static_cast<int>(reason));
}

RegionSpec region_arg(Args& args, size_t i) {
  const auto words = args.array<uint64_t>(i, napi_biguint64_array);
  if (words.size() < 4) {
    args.fail("[gpa, size, uaddr, offset]");
    return {};
  }
  return {words[0], words[1], words[2], words[3]};
}

Fd take(const Napi::CallbackInfo& info, uint32_t token) {
  return token != 0 ? env_of(info.Env()).fds.take(token) : Fd();
}

// deviceAddRegion(id, region: BigUint64Array of [gpa, size, uaddr, offset], token): as deviceMap
Napi::Value add_region(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(2);
  const RegionSpec spec = region_arg(args, 1);
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = take(info, token);
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  const Reason reason = device->add_region(spec, std::move(fd));
  if (reason != Reason::none) return refused(info, reason);
  return Napi::Number::New(info.Env(), device->regions_on_disk());
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
  if (!lost_out.empty()) {
    const size_t n = std::min(lost.size(), lost_out.size() - 1);
    lost_out[0] = static_cast<uint32_t>(n);
    std::copy_n(lost.begin(), n, lost_out.begin() + 1);
  }
  return refused(info, reason);
}

// deviceLog(id, [size, offset], token)
Napi::Value set_log(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(2);
  const auto place = args.array<uint64_t>(1, napi_biguint64_array);
  if (place.size() < 2) args.fail("[size, offset]");
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = take(info, token);
  auto device = Registry::get().find(id);
  return refused(info, device ? device->set_log(place[0], place[1], std::move(fd)) : Reason::device_gone);
}

// deviceLogCall(id, token): 0 = nobody is signalled any more
Napi::Value set_log_call(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t id = args.u32(0), token = args.u32(1);
  if (!args.ok()) return info.Env().Undefined();
  Fd fd = take(info, token);
  auto device = Registry::get().find(id);
  if (!device) return refused(info, Reason::device_gone);
  if (token != 0 && !(is_eventfd(fd.get()) && fcntl(fd.get(), F_SETFL, O_RDWR | O_NONBLOCK) == 0))
    return refused(info, Reason::fd_type);
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
  exports.Set("deviceAddRegion", Napi::Function::New(env, add_region));
  exports.Set("deviceRemoveRegion", Napi::Function::New(env, remove_region));
  exports.Set("deviceLog", Napi::Function::New(env, set_log));
  exports.Set("deviceLogCall", Napi::Function::New(env, set_log_call));
  exports.Set("deviceLogBuffers", Napi::Function::New(env, log_buffers));
  exports.Set("ringLog", Napi::Function::New(env, ring_log));
  exports.Set("deviceMtu", Napi::Function::New(env, set_mtu));
}

}  // namespace rxvhost::addon
