// Shared by the functions that JavaScript calls, except those that run once a burst (hot.h): adding them to
// the exports and returning results. Most return a number; a negative one is a failure: an errno or a reason
// (core/base/result.h).
#pragma once

#include <napi.h>

#include <algorithm>
#include <span>
#include <vector>

#include "core/base/result.h"

namespace rxvhost::addon {

/// exports[name] = function, which has that name in stack traces too. A function gives a Napi::Value or void.
template <typename Result>
void add_function(Napi::Env env, Napi::Object exports, const char* name,
                  Result (*function)(const Napi::CallbackInfo&)) {
  exports[name] = Napi::Function::New(env, function, name);
}

inline Napi::Value number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

/// Reason::none is 0, which means success.
inline Napi::Value refused(const Napi::CallbackInfo& info, Reason reason) {
  return number(info, -static_cast<int>(reason));
}

/// out[0] = how many values follow: all, or as many as there is room for.
inline void fill_list(std::span<uint32_t> out, const std::vector<uint32_t>& values) {
  if (out.empty()) return;
  const size_t n = std::min(values.size(), out.size() - 1);
  out[0] = static_cast<uint32_t>(n);
  std::copy_n(values.begin(), n, out.begin() + 1);
}

}  // namespace rxvhost::addon
