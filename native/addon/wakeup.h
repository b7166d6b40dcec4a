// The wake-ups of one env: kicks of rings and readiness of sockets become calls of one JavaScript function,
// on the env's own thread. One epoll holds all watched fds and is itself nested in one uv_poll on the env's
// loop, so that a ring costs libuv nothing and a turn of the loop is one call into JavaScript, however many
// fds are ready. src/addon/wakeup.ts assigns the tags.
#pragma once

#include <napi.h>

#include <cstdint>
#include <unordered_set>

#include "core/base/fd.h"

namespace rxvhost::addon {

enum class WatchMode : uint32_t {
  level_in = 0,     // a socket
  edge_in = 1,      // a kick: never read, since a peer can make a read of an eventfd block
  level_inout = 2,  // a socket with replies to write
  level_out = 3,    // the same while its messages are not wanted
  hang_up = 4,  // only the peer's hang-up; the fd stays in the epoll, so a later change needs no allocation
};

class Wakeup {
 public:
  /// `ready` is a Uint32Array for (tag, events) pairs, `callback` gets their number. 0 or a negative errno.
  int open(Napi::Env env, Napi::TypedArray ready, Napi::Function callback);
  ~Wakeup();

  /// Adds an fd, or changes its tag and mode. 0 or a negative errno. An edge-triggered fd that is readable
  /// already is reported once.
  int watch(int fd, uint32_t tag, WatchMode mode);
  /// Must be called before a watched fd is closed: the peer may hold a duplicate, which keeps it in the epoll
  /// set.
  void unwatch(int fd);
  bool watches(int fd) const { return watched_.contains(fd); }
  /// Whether open watches keep the event loop, and with it the process, alive. Initially they do not.
  void hold(bool on);
  /// `turn` is called in a later turn of the event loop than that in which `flags[0]` was set, which it
  /// clears. While `flags[1]` is 0 a request needs ask_turn() as well. What setImmediate does, without an
  /// object a turn: a ring that is polled takes tens of thousands of them a second.
  int open_turns(Napi::Env env, Napi::TypedArray flags, Napi::TypedArray clock, Napi::Function turn);
  void ask_turn();
  /// Writes the time in milliseconds to `clock`: a number that is returned costs JavaScript an object.
  void read_clock();

 private:
  struct Loop;  // libuv and Node-API point to it; destroyed once libuv has closed its handles, maybe after
                // this object

  Fd epoll_;
  std::unordered_set<int> watched_;
  Loop* loop_ = nullptr;
};

}  // namespace rxvhost::addon
