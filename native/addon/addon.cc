// Entry point of the addon: creates the instance of the env and collects the exports of all files in addon/.
// The addon is context-aware: no state in addon/ is static, so the main thread and any number of workers can
// load the addon.
#include <napi.h>

#include "addon/bpf.h"
#include "addon/env.h"
#include "addon/guest.h"
#include "addon/memory_changes.h"
#include "addon/queues.h"
#include "addon/tap.h"
#include "addon/wakeup.h"

namespace rxvhost::addon {

AddonEnv::AddonEnv() = default;
AddonEnv::~AddonEnv() = default;

AddonEnv& env_of(napi_env env) { return *Napi::Env(env).GetInstanceData<AddonEnv>(); }

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonEnv);
  register_fds(env, exports);
  register_sockets(env, exports);
  register_wakeup(env, exports);
  register_devices(env, exports);
  register_device_memory(env, exports);
  register_memory_changes(env, exports);
  register_queues(env, exports);
  register_guest(env, exports);
  register_raw_fds(env, exports);
  register_bpf(env, exports);
  register_tap(env, exports);
  return exports;
}

}  // namespace rxvhost::addon

static Napi::Object InitAll(Napi::Env env, Napi::Object exports) {
  return rxvhost::addon::init(env, exports);
}
NODE_API_MODULE(rx_vhost, InitAll)
