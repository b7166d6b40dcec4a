// The wake-ups of one env. When a ring is kicked or a socket is ready, one JavaScript function is called on
// the env's thread. One epoll holds all watched fds, and one uv_poll on the env's loop watches this epoll. So
// a ring needs no libuv handle, and a turn of the loop makes only one call into JavaScript, however many fds
// are ready. src/addon/wakeup.ts assigns the tags.
#pragma once

#include <napi.h>

#include <cstdint>
#include <unordered_set>

#include "core/base/fd.h"

namespace rxvhost::addon {

enum class WatchMode : uint32_t {
  level_in = 0,  // a socket
  edge_in = 1,   // a kick; edge-triggered, so that we need not read the eventfd, which a peer can make block
  level_inout = 2,  // a socket with replies to write
  level_out = 3,    // a socket with replies to write, while we do not read its messages
  hang_up = 4,  // only the peer's hang-up; the fd stays in the epoll, so a later change needs no allocation
};

class Wakeup {
 public:
  /// Starts the wake-ups. Writes (tag, events) pairs to the Uint32Array `ready` and calls `callback` with the
  /// number of pairs. Returns 0 or a negative errno.
  int open(Napi::Env env, Napi::TypedArray ready, Napi::Function callback);
  ~Wakeup();

  /// Adds an fd, or changes its tag and mode. Returns 0 or a negative errno. An edge-triggered fd that is
  /// already readable is reported once.
  int watch(int fd, uint32_t tag, WatchMode mode);
  /// Must be called before a watched fd is closed. If the peer has a duplicate of the fd, close() alone does
  /// not remove the fd from the epoll.
  void unwatch(int fd);
  bool watches(int fd) const { return watched_.contains(fd); }
  /// Sets whether watched fds keep the event loop alive, and with it the process. Initially they do not.
  void hold(bool on);
  /// Sets up a replacement for setImmediate that allocates no object per turn, because polling a ring takes
  /// tens of thousands of turns per second. To request a turn, JavaScript sets `flags[0]`, and it also calls
  /// ask_turn() if `flags[1]` is 0. In a later turn of the event loop, `flags[0]` is cleared and `turn` is
  /// called.
  int open_turns(Napi::Env env, Napi::TypedArray flags, Napi::TypedArray clock, Napi::Function turn);
  void ask_turn();
  /// Writes the time in milliseconds to `clock`. The time is not returned, because a returned number would
  /// allocate an object in JavaScript.
  void read_clock();

 private:
  // libuv and Node-API have pointers to a Loop. So a Loop is destroyed only when libuv has closed its
  // handles, which can be after the Wakeup is destroyed.
  struct Loop;

  Fd epoll_;
  std::unordered_set<int> watched_;
  Loop* loop_ = nullptr;
};

}  // namespace rxvhost::addon
