// The objects of the addon that belong to one Node environment (the main thread or a worker). Process-wide
// objects are in core/. The objects here are destroyed with the env, in the reverse order of the members
// below. So queues and guests release their rings before the wake-up is closed, and the fds close last.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "addon/fds.h"
#include "core/base/socket.h"

namespace rxvhost::addon {

class Wakeup;         // addon/wakeup.h: one epoll that one uv_poll watches
class QueueTable;     // addon/queues.h: handles of devices and rings, and the packet pool
class GuestTable;     // addon/guest.h: in-process front ends
class FilterTable;    // addon/bpf.h: compiled filter expressions
class TapTable;       // addon/tap.h: TAP interfaces
class MemoryChanges;  // addon/memory_changes.h: changes that other threads carry out

struct AddonEnv {
  AddonEnv();
  ~AddonEnv();

  FdTable fds;
  std::unordered_map<FdToken, BoundPath> bound;  // by listener; a path is unlinked when its listener closes
  std::unique_ptr<Wakeup> wakeup;
  std::unique_ptr<QueueTable> queues;
  std::unique_ptr<GuestTable> guests;
  std::unique_ptr<FilterTable> filters;
  std::unique_ptr<TapTable> taps;
  std::unique_ptr<MemoryChanges> memory_changes;
};

/// Returns the instance of the calling env. Functions on the hot path get the instance as their data pointer
/// instead.
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
