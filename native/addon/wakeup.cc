#include "addon/wakeup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/hot.h"

namespace rxvhost::addon {

namespace {

// At most this many events are reported in one turn. Other ready fds are reported first in the next turn,
// because epoll_wait() moves reported fds to the end of its list.
constexpr int kEventsPerTurn = 64;

}  // namespace

struct Wakeup::Loop {
  napi_env env = nullptr;
  Wakeup* owner = nullptr;
  uv_poll_t poll{};
  uv_check_t check{};  // runs once per turn, after setImmediate callbacks
  uv_idle_t idle{};    // keeps the loop from blocking before `check` runs
  int handles = 0;     // libuv handles that are not closed yet
  napi_ref turn = nullptr;
  napi_ref flags = nullptr, clock = nullptr;  // keep the memory of `asked` and `time` alive
  uint32_t* asked = nullptr;
  double* time = nullptr;
  napi_ref callback = nullptr;
  napi_ref ready = nullptr;  // keeps the memory of `pairs` alive
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
  int epoll = -1;
  uint32_t* pairs = nullptr;
  int capacity = 0;
  bool closing = false;

  int start(Napi::TypedArray array, Napi::Function function);
  void on_readable();
  void on_turn();
  void call(napi_ref function, int argument);
  void close();
};

int Wakeup::Loop::start(Napi::TypedArray array, Napi::Function function) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr);
  pairs = static_cast<uint32_t*>(data);
  capacity = static_cast<int>(std::min<size_t>(length / 2, kEventsPerTurn));
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return -ENOSYS;
  if (const int error = uv_poll_init(loop, &poll, epoll); error) return error;
  uv_check_init(loop, &check);
  uv_idle_init(loop, &idle);
  poll.data = check.data = idle.data = this;
  handles = 3;
  napi_create_reference(env, function, 1, &callback);
  napi_create_reference(env, array, 1, &ready);
  napi_async_init(env, nullptr, Napi::String::New(env, "rx-vhost:wakeup"), &context);
  // libuv closes a handle only in a later turn. With an async cleanup hook, the env waits until all handles
  // are closed. Without the hook, libuv would have a pointer to freed memory after worker.terminate().
  napi_add_async_cleanup_hook(
      env, [](napi_async_cleanup_hook_handle, void* self) { static_cast<Loop*>(self)->close(); }, this,
      &hook);
  uv_poll_start(&poll, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Loop*>(handle->data)->on_readable(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&poll));
  return 0;
}

void Wakeup::Loop::on_readable() {
  epoll_event events[kEventsPerTurn];
  const int count = ::epoll_wait(epoll, events, capacity, 0);
  if (count <= 0) return;
  for (int i = 0; i < count; i++) {
    pairs[2 * i] = events[i].data.u32;
    pairs[2 * i + 1] = events[i].events;
  }
  call(callback, count);
}

void Wakeup::Loop::on_turn() {
  if (asked[0] == 0) {
    uv_check_stop(&check);
    uv_idle_stop(&idle);
    asked[1] = 0;
    return;
  }
  asked[0] = 0;
  call(turn, 0);
}

void Wakeup::Loop::call(napi_ref target, int count) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value function, self, argument, result;
  napi_get_reference_value(env, target, &function);
  napi_get_global(env, &self);
  napi_create_int32(env, count, &argument);
  const napi_status status = napi_make_callback(env, context, self, function, 1, &argument, &result);
  if (status == napi_pending_exception) {
    // Handles the exception like any uncaught exception; otherwise it would be lost when this function
    // returns. napi_fatal_exception() returns only if a handler of 'uncaughtException' let the process
    // continue.
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void Wakeup::Loop::close() {
  if (closing) return;
  closing = true;
  if (owner) owner->loop_ = nullptr;
  owner = nullptr;
  napi_delete_reference(env, callback);
  napi_delete_reference(env, ready);
  if (turn) napi_delete_reference(env, turn);
  if (flags) napi_delete_reference(env, flags);
  if (clock) napi_delete_reference(env, clock);
  napi_async_destroy(env, context);
  uv_handle_t* const all[] = {reinterpret_cast<uv_handle_t*>(&poll), reinterpret_cast<uv_handle_t*>(&check),
                              reinterpret_cast<uv_handle_t*>(&idle)};
  for (uv_handle_t* handle : all)
    uv_close(handle, [](uv_handle_t* closed) {
      Loop* self = static_cast<Loop*>(closed->data);
      if (--self->handles > 0) return;
      napi_remove_async_cleanup_hook(self->hook);
      delete self;
    });
}

int Wakeup::open(Napi::Env env, Napi::TypedArray ready, Napi::Function callback) {
  if (loop_) return -EALREADY;
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return -errno;
  Loop* loop = new Loop;
  loop->env = env;
  loop->owner = this;
  loop->epoll = epoll_.get();
  if (const int error = loop->start(ready, callback); error) {
    delete loop;
    return error;
  }
  loop_ = loop;
  return 0;
}

int Wakeup::open_turns(Napi::Env env, Napi::TypedArray flags, Napi::TypedArray clock, Napi::Function turn) {
  if (!loop_) return -ENXIO;
  if (loop_->turn) return -EALREADY;
  void* data = nullptr;
  napi_get_typedarray_info(env, flags, nullptr, nullptr, &data, nullptr, nullptr);
  loop_->asked = static_cast<uint32_t*>(data);
  napi_get_typedarray_info(env, clock, nullptr, nullptr, &data, nullptr, nullptr);
  loop_->time = static_cast<double*>(data);
  napi_create_reference(env, turn, 1, &loop_->turn);
  napi_create_reference(env, flags, 1, &loop_->flags);
  napi_create_reference(env, clock, 1, &loop_->clock);
  return 0;
}

void Wakeup::read_clock() {
  if (loop_ && loop_->time) *loop_->time = static_cast<double>(uv_hrtime()) / 1e6;
}

void Wakeup::ask_turn() {
  if (!loop_ || !loop_->turn || loop_->asked[1] != 0) return;
  loop_->asked[1] = 1;
  uv_check_start(&loop_->check, [](uv_check_t* handle) { static_cast<Loop*>(handle->data)->on_turn(); });
  uv_idle_start(&loop_->idle, [](uv_idle_t*) {});
}

Wakeup::~Wakeup() {
  if (loop_) loop_->close();
}

int Wakeup::watch(int fd, uint32_t tag, WatchMode mode) {
  if (fd < 0 || !epoll_) return -EBADF;
  epoll_event event{};
  const bool out = mode == WatchMode::level_inout || mode == WatchMode::level_out;
  if (mode < WatchMode::level_out) event.events |= EPOLLIN;
  if (mode == WatchMode::edge_in) event.events |= EPOLLET;
  if (out) event.events |= EPOLLOUT;
  event.data.u32 = tag;
  const bool known = watched_.contains(fd);
  if (::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  watched_.insert(fd);
  return 0;
}

void Wakeup::unwatch(int fd) {
  if (watched_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Wakeup::hold(bool on) {
  if (!loop_) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(&loop_->poll);
  if (on)
    uv_ref(handle);
  else
    uv_unref(handle);
}

namespace {

Napi::Value wakeup_open(const Napi::CallbackInfo& info) {
  Args args(info);
  if (args.words(0).size() < 2 || !info[1].IsFunction())
    args.fail("an array of pairs and a function were expected");
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  if (!self.wakeup) self.wakeup = std::make_unique<Wakeup>();
  const int error =
      self.wakeup->open(info.Env(), info[0].As<Napi::TypedArray>(), info[1].As<Napi::Function>());
  return number(info, error);
}

Napi::Value wakeup_turns(const Napi::CallbackInfo& info) {
  Args args(info);
  const bool room = args.words(0).size() >= 2 && !args.array<double>(1, napi_float64_array).empty();
  if (!room || !info[2].IsFunction())
    args.fail("an array of two words, an array of a double and a function were expected");
  if (!args.ok()) return info.Env().Undefined();
  Wakeup* wakeup = env_of(info.Env()).wakeup.get();
  const int error = wakeup ? wakeup->open_turns(info.Env(), info[0].As<Napi::TypedArray>(),
                                                info[1].As<Napi::TypedArray>(), info[2].As<Napi::Function>())
                           : -ENXIO;
  return number(info, error);
}

// Called several times per turn, so it does not use the C++ wrapper.
napi_value read_clock(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  if (const auto& wakeup = static_cast<AddonEnv*>(data)->wakeup; wakeup) wakeup->read_clock();
  return nullptr;
}

Napi::Value wakeup_ask_turn(const Napi::CallbackInfo& info) {
  if (AddonEnv& self = env_of(info.Env()); self.wakeup) self.wakeup->ask_turn();
  return info.Env().Undefined();
}

Napi::Value wakeup_hold(const Napi::CallbackInfo& info) {
  Args args(info);
  AddonEnv& self = env_of(info.Env());
  if (self.wakeup) self.wakeup->hold(args.boolean(0));
  return info.Env().Undefined();
}

Napi::Value watch(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  const uint32_t tag = args.u32(1), mode = args.u32(2);
  if (mode > static_cast<uint32_t>(WatchMode::hang_up)) args.fail("a watch mode of 0 to 4 was expected");
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  const int fd = self.fds.get(token);
  const int result = self.wakeup ? self.wakeup->watch(fd, tag, static_cast<WatchMode>(mode)) : -ENXIO;
  return number(info, result);
}

Napi::Value unwatch(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  if (const int fd = self.fds.get(token); fd >= 0 && self.wakeup) self.wakeup->unwatch(fd);
  return info.Env().Undefined();
}

}  // namespace

void register_wakeup(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "wakeupOpen", wakeup_open);
  add_function(env, exports, "wakeupTurns", wakeup_turns);
  add_function(env, exports, "wakeupAskTurn", wakeup_ask_turn);
  hot_function(env, exports, "readClock", read_clock);
  add_function(env, exports, "wakeupHold", wakeup_hold);
  add_function(env, exports, "watch", watch);
  add_function(env, exports, "unwatch", unwatch);
}

}  // namespace rxvhost::addon
