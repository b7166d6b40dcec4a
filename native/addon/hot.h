// Helpers for the functions that run once per burst. These functions use plain Node-API, without the
// allocations of the C++ wrapper. Their data pointer is the env's AddonEnv. Arguments and result are numbers.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>

#include "addon/env.h"

namespace rxvhost::addon {

/// Reads up to four numbers. An argument that is missing or not a number counts as UINT32_MAX if it is the
/// first one, otherwise as 0.
struct HotArgs {
  AddonEnv* env = nullptr;
  std::array<uint32_t, 4> numbers = {UINT32_MAX, 0, 0, 0};

  HotArgs(napi_env from, napi_callback_info info) {
    napi_value argv[4];
    size_t argc = 4;
    void* data = nullptr;
    if (napi_get_cb_info(from, info, &argc, argv, nullptr, &data) != napi_ok) return;
    env = static_cast<AddonEnv*>(data);
    for (size_t i = 0; i < numbers.size() && i < argc; i++) napi_get_value_uint32(from, argv[i], &numbers[i]);
  }
};

inline napi_value hot_result(napi_env env, uint32_t value) {
  napi_value out = nullptr;
  napi_create_uint32(env, value, &out);
  return out;
}

inline void hot_function(Napi::Env env, Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, &env_of(env), &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace rxvhost::addon
