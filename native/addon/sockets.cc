// Sockets for src/transport. The functions only convert arguments and call core/base/socket. If a function
// returns a number, a negative number is an errno.
#include <errno.h>

#include <algorithm>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"
#include "core/base/socket.h"

namespace rxvhost::addon {

namespace {

// socketReceive writes one of these values to fds[0] instead of a count if fds were lost.
constexpr uint32_t kFdsTruncated = 0xffffffff;
constexpr uint32_t kFdsExhausted = 0xfffffffe;

/// Returns a token for a new fd, or -EMFILE if the table is full, or `error` if it is not 0.
Napi::Value token_or_error(const Napi::CallbackInfo& info, int error, Fd fd) {
  if (error) return number(info, error);
  const FdToken token = env_of(info.Env()).fds.add(std::move(fd));
  return number(info, token ? static_cast<double>(token) : -EMFILE);
}

// socketListen(path, backlog, mode?, group?): returns a token
Napi::Value socket_listen(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.text(0);
  const int backlog = args.i32(1);
  const SocketAccess access{args.has(2) ? args.i32(2) : -1, args.has(3) ? args.i32(3) : -1};
  if (!args.ok()) return info.Env().Undefined();
  Fd listener;
  BoundPath bound;
  if (const int error = listen_unix(path, backlog, access, listener, bound); error)
    return number(info, error);
  AddonEnv& self = env_of(info.Env());
  const FdToken token = self.fds.add(std::move(listener));
  if (token) self.bound.insert_or_assign(token, std::move(bound));
  return number(info, token ? static_cast<double>(token) : -EMFILE);
}

Napi::Value socket_unlink(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.text(0);
  const FdToken token = args.u32(1);
  if (!args.ok()) return info.Env().Undefined();
  auto& bound = env_of(info.Env()).bound;
  if (auto found = bound.find(token); found != bound.end() && found->second.path() == path)
    bound.erase(found);
  return info.Env().Undefined();
}

Napi::Value socket_adopt(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.i32(0);
  if (!args.ok()) return info.Env().Undefined();
  const int kind = adopt_unix(fd);
  return token_or_error(info, std::min(kind, 0), kind < 0 ? Fd() : Fd(fd));
}

// socketCheck(token): returns 0 for a connected Unix stream socket, 1 for a listening one, or a negative
// errno
Napi::Value socket_check(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  return number(info, adopt_unix(env_of(info.Env()).fds.get(token)));
}

Napi::Value socket_accept(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  Fd socket;
  const int error = accept_unix(env_of(info.Env()).fds.get(token), socket);
  return token_or_error(info, error, std::move(socket));
}

Napi::Value socket_connect(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.text(0);
  if (!args.ok()) return info.Env().Undefined();
  Fd socket;
  const int error = connect_unix(path, socket);
  return token_or_error(info, error, std::move(socket));
}

Napi::Value socket_peer(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  const auto out = args.array<int32_t>(1, napi_int32_array);
  if (args.ok() && out.size() < 3) args.fail("an array with room for pid, uid and gid was expected");
  if (!args.ok()) return info.Env().Undefined();
  PeerCredentials peer;
  if (const int error = peer_credentials(env_of(info.Env()).fds.get(token), peer); error)
    return number(info, error);
  out[0] = peer.pid;
  out[1] = peer.uid;
  out[2] = peer.gid;
  return number(info, 0);
}

/// Returns the part [offset, offset + length) of `bytes`. Fails if this is out of range.
std::span<uint8_t> part_of(Args& args, std::span<uint8_t> bytes, uint32_t offset, uint32_t length) {
  if (offset <= bytes.size() && length <= bytes.size() - offset) return bytes.subspan(offset, length);
  args.fail("offset and length go past the end of the array");
  return {};
}

Napi::Value socket_receive(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  const uint32_t offset = args.u32(2), length = args.u32(3);
  const auto into = part_of(args, args.bytes(1), offset, length);
  const auto fds = args.words(4);
  if (args.ok() && fds.empty()) args.fail("an array with room for the number of fds was expected");
  if (!args.ok()) return info.Env().Undefined();
  AddonEnv& self = env_of(info.Env());
  Received got = receive(self.fds.get(token), into);
  fds[0] = 0;
  if (got.ancillary != Ancillary::complete) {
    fds[0] = got.ancillary == Ancillary::exhausted ? kFdsExhausted : kFdsTruncated;
  } else if (got.fds.size() > fds.size() - 1) {
    fds[0] = kFdsTruncated;  // the array has no room for all fds, so they are closed with `got`
  } else {
    for (Fd& fd : got.fds) fds[++fds[0]] = self.fds.add(std::move(fd));
  }
  return number(info, static_cast<double>(got.bytes));
}

Napi::Value socket_send(const Napi::CallbackInfo& info) {
  Args args(info);
  const FdToken token = args.u32(0);
  const uint32_t offset = args.u32(2), length = args.u32(3);
  const auto bytes = part_of(args, args.bytes(1), offset, length);
  const auto tokens = args.has(4) ? args.words(4) : std::span<uint32_t>();
  if (args.ok() && tokens.size() > kMaxReceivedFds) args.fail("at most 253 fds fit in a message");
  if (!args.ok()) return info.Env().Undefined();
  const FdTable& table = env_of(info.Env()).fds;
  int fds[kMaxReceivedFds];
  for (size_t i = 0; i < tokens.size(); i++) fds[i] = table.get(tokens[i]);
  return number(info, static_cast<double>(send(table.get(token), bytes, {fds, tokens.size()})));
}

}  // namespace

void register_sockets(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "socketListen", socket_listen);
  add_function(env, exports, "socketUnlink", socket_unlink);
  add_function(env, exports, "socketAdopt", socket_adopt);
  add_function(env, exports, "socketCheck", socket_check);
  add_function(env, exports, "socketAccept", socket_accept);
  add_function(env, exports, "socketConnect", socket_connect);
  add_function(env, exports, "socketPeer", socket_peer);
  add_function(env, exports, "socketReceive", socket_receive);
  add_function(env, exports, "socketSend", socket_send);
}

}  // namespace rxvhost::addon
