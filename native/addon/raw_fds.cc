// Functions for tests with a hostile front end, because Node has none for these purposes. They create a
// memory file that this process has not mapped, an eventfd, a timerfd, and a token for any fd of the process.
// They also set O_NONBLOCK, a flag that a peer can change at any time. src/addon/guest.ts declares these
// functions.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"

namespace rxvhost::addon {

namespace {

Napi::Value token(const Napi::CallbackInfo& info, Fd fd) {
  if (!fd) return number(info, -errno);
  return number(info, env_of(info.Env()).fds.add(std::move(fd)));
}

// rawMemory(bytes): returns a token for a new memfd of this length, which is sparse until it is written
Napi::Value raw_memory(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) return number(info, -EINVAL);
  const int64_t bytes = info[0].As<Napi::Number>().Int64Value();
  Fd fd(memfd_create("hostile-guest", MFD_CLOEXEC));
  if (fd && ftruncate(fd.get(), bytes) != 0) fd.reset();
  return token(info, std::move(fd));
}

// rawEventfd(): returns a token for a new eventfd with count 0, which rawBlocking() can make blocking
Napi::Value raw_eventfd(const Napi::CallbackInfo& info) {
  return token(info, Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
}

// rawTimerfd(): returns a token for a new timerfd that is not armed
Napi::Value raw_timerfd(const Napi::CallbackInfo& info) {
  return token(info, Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
}

// rawAdopt(number): returns a token for a duplicate of any fd of this process
Napi::Value raw_adopt(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.i32(0);
  if (!args.ok()) return info.Env().Undefined();
  return token(info, Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3)));
}

// rawNumber(token): returns the fd's number, for Node's fs functions, or -1 if the token is invalid
Napi::Value raw_number(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  return number(info, env_of(info.Env()).fds.get(token));
}

// rawBlocking(token, on): clears or sets O_NONBLOCK of the open file description, which all duplicates share
Napi::Value raw_blocking(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  const bool on = args.boolean(1);
  if (!args.ok()) return info.Env().Undefined();
  const int fd = env_of(info.Env()).fds.get(token);
  return number(info, ::fcntl(fd, F_SETFL, O_RDWR | (on ? 0 : O_NONBLOCK)) == 0 ? 0 : -errno);
}

}  // namespace

void register_raw_fds(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "rawMemory", raw_memory);
  add_function(env, exports, "rawEventfd", raw_eventfd);
  add_function(env, exports, "rawTimerfd", raw_timerfd);
  add_function(env, exports, "rawAdopt", raw_adopt);
  add_function(env, exports, "rawNumber", raw_number);
  add_function(env, exports, "rawBlocking", raw_blocking);
}

}  // namespace rxvhost::addon
