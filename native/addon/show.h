// Shows native memory to JavaScript as typed arrays.
#pragma once

#include <napi.h>

#include <memory>

#include "core/virtqueue/counters.h"

namespace rxvhost::addon {

// Returns native memory as an array buffer. The buffer holds a reference to the owner of the memory, because
// the buffer can be collected after the env's data is destroyed.
template <typename Owner>
Napi::ArrayBuffer show(Napi::Env env, const std::shared_ptr<Owner>& owner, void* data, size_t size) {
  auto* share = new std::shared_ptr<Owner>(owner);
  return Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void*, std::shared_ptr<Owner>* held) { delete held; }, share);
}

/// Returns an array of `count` blocks of counters. Each block is in the order of Stat, and each counter takes
/// two words.
template <typename Owner>
Napi::Value show_counters(Napi::Env env, const std::shared_ptr<Owner>& owner, Counters* first,
                          size_t count = 1) {
  const size_t bytes = count * sizeof(Counters);
  return Napi::Uint32Array::New(env, bytes / sizeof(uint32_t), show(env, owner, first, bytes), 0);
}

}  // namespace rxvhost::addon
