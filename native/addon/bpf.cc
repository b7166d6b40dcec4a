// Filter programs of one env, by handle. The functions only convert arguments and call core/bpf. bpfFilter
// runs once per burst, so it is a plain Node-API function. Its arguments are the arrays that hold a burst:
// the arrays of this env's pool, or plain arrays of a test.
#include "addon/bpf.h"

#include <algorithm>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/hot.h"
#include "core/net/pool.h"

namespace rxvhost::addon {

namespace {

// Returns the memory of a typed array, without the allocations of the C++ wrapper. Returns an empty span if
// `value` is not a typed array of this type.
template <typename T>
std::span<T> typed(napi_env env, napi_value value, napi_typedarray_type type) {
  napi_typedarray_type found;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &found, &length, &data, nullptr, nullptr) != napi_ok ||
      found != type)
    return {};
  return {static_cast<T*>(data), length};
}

// bpfFilter(program, bytes, meta, slots, count, verdicts: Uint8Array): writes 1 (match) or 0 for each of the
// first `count` slots. A slot outside the pool never matches.
napi_value bpf_filter(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  size_t argc = 6;
  void* data = nullptr;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, &data) != napi_ok || argc != 6) return nullptr;
  const auto& own = static_cast<AddonEnv*>(data)->filters;
  uint32_t handle = 0, wanted = 0;
  napi_get_value_uint32(env, argv[0], &handle);
  napi_get_value_uint32(env, argv[4], &wanted);
  const FilterProgram* program = own ? own->get(handle) : nullptr;
  const auto bytes = typed<const uint8_t>(env, argv[1], napi_uint8_array);
  const auto words = typed<const uint32_t>(env, argv[2], napi_uint32_array);
  const auto slots = typed<const uint32_t>(env, argv[3], napi_uint32_array);
  const auto verdicts = typed<uint8_t>(env, argv[5], napi_uint8_array);
  constexpr size_t kWords = sizeof(SlotMeta) / sizeof(uint32_t);
  const size_t count = std::min<size_t>({wanted, slots.size(), verdicts.size()});
  for (size_t i = 0; i < count; i++) {
    verdicts[i] = 0;
    const size_t at = size_t{slots[i]} * kWords;
    if (program == nullptr || at + kWords > words.size()) continue;
    const auto* meta = reinterpret_cast<const SlotMeta*>(words.data() + at);
    if (uint64_t{meta->offset} + meta->length > bytes.size()) continue;
    verdicts[i] = program->matches(bytes.data() + meta->offset, meta->length);
  }
  return nullptr;
}

// bpfLoad(path): returns '' if libpcap was loaded, otherwise the error message
Napi::Value bpf_load(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.text(0);
  if (!args.ok()) return info.Env().Undefined();
  std::string error;
  load_libpcap(path.c_str(), &error);
  return Napi::String::New(info.Env(), error);
}

// bpfCompile(expression): returns a handle, or an error message, which is usually libpcap's
Napi::Value bpf_compile(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string expression = args.text(0);
  if (!args.ok()) return info.Env().Undefined();
  std::string error;
  auto program = FilterProgram::compile(expression.c_str(), &error);
  if (!program) return Napi::String::New(info.Env(), error);
  AddonEnv& self = env_of(info.Env());
  if (!self.filters) self.filters = std::make_unique<FilterTable>();
  return number(info, self.filters->add(std::move(program)));
}

// bpfMatches(program, frame: Uint8Array): returns whether the frame matches
Napi::Value bpf_matches(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t handle = args.u32(0);
  const auto frame = args.bytes(1);
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  const FilterProgram* program = self.filters ? self.filters->get(handle) : nullptr;
  return Napi::Boolean::New(info.Env(), program != nullptr && frame.size() <= UINT32_MAX &&
                                            program->matches(frame.data(), frame.size()));
}

Napi::Value bpf_free(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t handle = args.u32(0);
  if (AddonEnv& self = env_of(info.Env()); args.ok() && self.filters) self.filters->remove(handle);
  return info.Env().Undefined();
}

// bpfCount(): returns the number of programs of this env, for leak tests
Napi::Value bpf_count(const Napi::CallbackInfo& info) {
  AddonEnv& self = env_of(info.Env());
  return number(info, self.filters ? static_cast<double>(self.filters->size()) : 0);
}

}  // namespace

void register_bpf(Napi::Env env, Napi::Object exports) {
  hot_function(env, exports, "bpfFilter", bpf_filter);
  add_function(env, exports, "bpfLoad", bpf_load);
  add_function(env, exports, "bpfCompile", bpf_compile);
  add_function(env, exports, "bpfMatches", bpf_matches);
  add_function(env, exports, "bpfFree", bpf_free);
  add_function(env, exports, "bpfCount", bpf_count);
}

}  // namespace rxvhost::addon
