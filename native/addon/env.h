// What one Node environment (the main thread or a worker) owns of the addon. Everything process-wide lives in
// core/; everything here dies with the env, in the order below read backwards: queues and guests release
// their rings before the wake-up stops watching fds, and the fds close last.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "addon/fds.h"
#include "core/base/socket.h"

namespace rxvhost::addon {

class Wakeup;         // addon/wakeup.h: one epoll, nested in one uv_poll
class QueueTable;     // addon/queues.h: handles on devices and rings, and the packet pool
class GuestTable;     // addon/guest.h: the front end in-process
class FilterTable;    // addon/bpf.h: compiled filter expressions
class TapTable;       // addon/tap.h: TAP interfaces
class MemoryChanges;  // addon/memory_changes.h: changes that other threads carry out

struct AddonEnv {
  AddonEnv();
  ~AddonEnv();

  FdTable fds;
  std::unordered_map<FdToken, BoundPath> bound;  // by listener; unlinked when the listener goes
  std::unique_ptr<Wakeup> wakeup;
  std::unique_ptr<QueueTable> queues;
  std::unique_ptr<GuestTable> guests;
  std::unique_ptr<FilterTable> filters;
  std::unique_ptr<TapTable> taps;
  std::unique_ptr<MemoryChanges> memory_changes;
};

/// The calling env's instance. Raw callbacks on the hot path get it as their data pointer instead.
AddonEnv& env_of(napi_env env);

// Each file of addon/ adds its functions to the exports object.
void register_fds(Napi::Env env, Napi::Object exports);
void register_sockets(Napi::Env env, Napi::Object exports);
void register_wakeup(Napi::Env env, Napi::Object exports);
void register_devices(Napi::Env env, Napi::Object exports);
void register_device_memory(Napi::Env env, Napi::Object exports);
void register_memory_changes(Napi::Env env, Napi::Object exports);
void register_queues(Napi::Env env, Napi::Object exports);
void register_guest(Napi::Env env, Napi::Object exports);
void register_raw_fds(Napi::Env env, Napi::Object exports);
void register_bpf(Napi::Env env, Napi::Object exports);
void register_tap(Napi::Env env, Napi::Object exports);

}  // namespace rxvhost::addon
