// Reads arguments that come from JavaScript. TypeScript checks types at compile time only, so an argument of
// a wrong type throws a TypeError here.
#pragma once

#include <napi.h>

#include <span>
#include <string>

namespace rxvhost::addon {

class Args {
 public:
  explicit Args(const Napi::CallbackInfo& info) : info_(info) {}

  uint32_t u32(size_t i) {
    if (!info_[i].IsNumber()) return fail("a number was expected"), 0;
    return info_[i].As<Napi::Number>().Uint32Value();
  }
  int32_t i32(size_t i) {
    if (!info_[i].IsNumber()) return fail("a number was expected"), -1;
    return info_[i].As<Napi::Number>().Int32Value();
  }
  uint64_t u64(size_t i) {
    if (!info_[i].IsBigInt()) return fail("a bigint was expected"), 0;
    bool lossless = false;
    return info_[i].As<Napi::BigInt>().Uint64Value(&lossless);
  }
  bool boolean(size_t i) { return info_[i].ToBoolean().Value(); }
  std::string text(size_t i) {
    if (!info_[i].IsString()) return fail("a string was expected"), std::string();
    return info_[i].As<Napi::String>().Utf8Value();
  }
  /// Returns the elements of a typed array of exactly this type.
  template <typename T>
  std::span<T> array(size_t i, napi_typedarray_type type) {
    if (info_[i].IsTypedArray() && info_[i].As<Napi::TypedArray>().TypedArrayType() == type) {
      napi_typedarray_type found;
      size_t length = 0;
      void* data = nullptr;
      if (napi_get_typedarray_info(info_.Env(), info_[i], &found, &length, &data, nullptr, nullptr) ==
          napi_ok)
        return {static_cast<T*>(data), length};
    }
    fail("a typed array of a different type was expected");
    return {};
  }
  std::span<uint8_t> bytes(size_t i) { return array<uint8_t>(i, napi_uint8_array); }
  std::span<uint32_t> words(size_t i) { return array<uint32_t>(i, napi_uint32_array); }
  bool has(size_t i) const { return i < info_.Length() && !info_[i].IsUndefined() && !info_[i].IsNull(); }

  /// Returns false if an argument was wrong. An exception is then pending, and the calling function must
  /// return.
  bool ok() const { return ok_; }
  void fail(const char* message) {
    if (ok_) Napi::TypeError::New(info_.Env(), message).ThrowAsJavaScriptException();
    ok_ = false;
  }

 private:
  const Napi::CallbackInfo& info_;
  bool ok_ = true;
};

}  // namespace rxvhost::addon
