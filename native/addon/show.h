// Memory of ours as arrays of JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "core/virtqueue/counters.h"

namespace rxvhost::addon {

// Memory of ours as an array buffer. Each buffer holds a share of what owns it, since it can be collected
// after the env's own data went.
template <typename Owner>
Napi::ArrayBuffer show(Napi::Env env, const std::shared_ptr<Owner>& owner, void* data, size_t size) {
  auto* share = new std::shared_ptr<Owner>(owner);
  return Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void*, std::shared_ptr<Owner>* held) { delete held; }, share);
}

/// Counters in the order of Stat, each two words.
inline Napi::Value show_counters(Napi::Env env, const std::shared_ptr<Counters>& counters) {
  return Napi::Uint32Array::New(env, sizeof(Counters) / sizeof(uint32_t),
                                show(env, counters, counters->at, sizeof(Counters)), 0);
}

}  // namespace rxvhost::addon
