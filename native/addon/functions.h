// Helpers for the functions that JavaScript calls: they add functions to the exports and return results.
// Functions that run once per burst use hot.h instead. Most functions return a number. A negative number
// means failure; it is an errno or a reason (core/base/result.h).
#pragma once

#include <napi.h>

#include <algorithm>
#include <span>
#include <vector>

#include "core/base/result.h"

namespace rxvhost::addon {

/// Sets exports[name] to the function. The function has the same name in stack traces, and it returns a
/// Napi::Value or void.
template <typename Result>
void add_function(Napi::Env env, Napi::Object exports, const char* name,
                  Result (*function)(const Napi::CallbackInfo&)) {
  exports[name] = Napi::Function::New(env, function, name);
}

inline Napi::Value number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

/// Returns the negative number of a reason. Reason::none is 0 and means success.
inline Napi::Value refused(const Napi::CallbackInfo& info, Reason reason) {
  return number(info, -static_cast<int>(reason));
}

/// Writes as many values as fit after out[0], and sets out[0] to their number.
inline void fill_list(std::span<uint32_t> out, const std::vector<uint32_t>& values) {
  if (out.empty()) return;
  const size_t n = std::min(values.size(), out.size() - 1);
  out[0] = static_cast<uint32_t>(n);
  std::copy_n(values.begin(), n, out.begin() + 1);
}

}  // namespace rxvhost::addon
