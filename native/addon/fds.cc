// The implementation of the fd table, and three functions for JavaScript: closeFd, fdCount and fdKind.
#include "addon/fds.h"

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "addon/wakeup.h"
#include "core/base/eventfd.h"

namespace rxvhost::addon {

namespace {

constexpr uint32_t kIndexBits = 20;
constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;
constexpr uint32_t kGenerationMask = (1u << (32 - kIndexBits)) - 1;

}  // namespace

FdToken FdTable::add(Fd fd) {
  if (!fd) return 0;
  uint32_t index;
  if (free_.empty()) {
    if (entries_.size() > kIndexMask)
      return 0;  // a million entries; the process reaches its fd limit earlier
    index = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Entry& entry = entries_[index];
  entry.fd = std::move(fd);
  live_++;
  return index | entry.generation << kIndexBits;
}

int FdTable::get(FdToken token) const {
  const uint32_t index = token & kIndexMask;
  if (index >= entries_.size() || entries_[index].generation != token >> kIndexBits) return -1;
  return entries_[index].fd.get();
}

Fd FdTable::take(FdToken token) {
  if (get(token) < 0) return Fd();
  const uint32_t index = token & kIndexMask;
  Entry& entry = entries_[index];
  Fd fd = std::move(entry.fd);
  // Generation 0 is skipped, so that no token is ever 0.
  entry.generation = entry.generation == kGenerationMask ? 1 : entry.generation + 1;
  free_.push_back(index);
  live_--;
  return fd;
}

namespace {

Napi::Value close_fd(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  const Fd fd = self.fds.take(token);
  // If the peer has a duplicate of the fd, close() does not remove the fd from the epoll, and after close()
  // nothing else can remove it.
  if (fd && self.wakeup) self.wakeup->unwatch(fd.get());
  self.bound.erase(token);
  return info.Env().Undefined();
}

Napi::Value fd_count(const Napi::CallbackInfo& info) {
  return number(info, static_cast<double>(env_of(info.Env()).fds.size()));
}

Napi::Value fd_kind(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  const int fd = env_of(info.Env()).fds.get(token);
  return number(info, fd >= 0 && is_eventfd(fd) ? 1 : 0);
}

}  // namespace

void register_fds(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "closeFd", close_fd);
  add_function(env, exports, "fdCount", fd_count);
  add_function(env, exports, "fdKind", fd_kind);
}

}  // namespace rxvhost::addon
