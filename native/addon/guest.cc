// The functions of src/addon/guest.ts. A function that moves a burst returns a count in bits 0-15 together
// with the flags kMore and kBroken, or a negative errno.
#include "addon/guest.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "addon/args.h"
#include "addon/env.h"
#include "addon/functions.h"

namespace rxvhost::addon {

namespace {

using guest::BurstResult;
using guest::Port;

constexpr uint32_t kMore = 1u << 16;    // receive, check: may have more; send, generate: the ring is full
constexpr uint32_t kBroken = 1u << 17;  // the back end violated the ring's rules
constexpr uint32_t kMaxBurst = 0xffff;

Napi::Value burst(const Napi::CallbackInfo& info, const BurstResult& result) {
  if (result.count == 0 && result.error) return number(info, -result.error);
  return number(info, result.count | (result.more ? kMore : 0) | (result.broken ? kBroken : 0));
}

/// Runs `body(port, args)` for the guest whose handle is argument 0. Returns -EBADF if the handle is invalid.
template <typename Body>
Napi::Value with_port(const Napi::CallbackInfo& info, Body&& body) {
  Args args(info);
  const uint32_t handle = args.u32(0);
  if (!args.ok()) return info.Env().Undefined();
  GuestTable* table = env_of(info.Env()).guests.get();
  Port* port = table ? table->get(handle) : nullptr;
  if (!port) return number(info, -EBADF);
  Napi::Value result = body(*port, args);
  return args.ok() ? result : info.Env().Undefined();
}

Napi::Value create(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto config = args.words(0);
  if (args.ok() && config.size() < 6) args.fail("an array of at least six numbers was expected");
  if (!args.ok()) return info.Env().Undefined();
  guest::PortOptions options;
  options.queue_size = config[0];
  options.layout = static_cast<guest::Layout>(config[1]);
  options.segments = config[2];
  options.receive_buffer = config[3];
  options.transmit_buffer = config[4];
  options.auto_post = config[5] != 0;
  auto port = std::make_unique<Port>();
  if (const int error = port->open(options, config.size() > 6 ? config[6] : 1)) return number(info, -error);
  auto& table = env_of(info.Env()).guests;
  if (!table) table = std::make_unique<GuestTable>();
  return number(info, table->add(std::move(port)));
}

Napi::Value create_beside(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& first, Args& args) {
    const uint32_t pair = args.u32(1);
    auto port = std::make_unique<Port>();
    if (const int error = port->open_beside(first, pair)) return number(info, -error);
    return number(info, env_of(info.Env()).guests->add(std::move(port)));
  });
}

Napi::Value close(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint32_t handle = args.u32(0);
  auto& table = env_of(info.Env()).guests;
  if (args.ok() && table) table->remove(handle);
  return info.Env().Undefined();
}

/// Duplicates the fd and returns a token for the duplicate. The caller closes the duplicate.
Napi::Value duplicate(const Napi::CallbackInfo& info, int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return number(info, -errno);
  return number(info, env_of(info.Env()).fds.add(std::move(copy)));
}

Napi::Value memory_token(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args&) { return duplicate(info, port.memory().fd()); });
}

Napi::Value ring_token(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const uint32_t ring = args.u32(1), which = args.u32(2);
    if (ring > 1 || which > 1) return number(info, -EINVAL);
    return duplicate(info, which == 0 ? port.kick_fd(ring) : port.call_fd(ring));
  });
}

Napi::Value layout(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto out = args.array<double>(1, napi_float64_array);
    const guest::MemoryPlan& plan = port.plan();
    double values[20] = {static_cast<double>(port.memory().size()), static_cast<double>(Port::kGuestAddress)};
    uint32_t count = 2;
    for (const guest::RingPlace& place : plan.rings)
      for (uint64_t value : {place.descriptors, place.available, place.used, place.tables, place.headers,
                             place.buffers, place.buffer_stride, uint64_t{place.chains}})
        values[count++] = static_cast<double>(value);
    std::copy_n(values, std::min<size_t>(count, out.size()), out.begin());
    return number(info, count);
  });
}

Napi::Value start(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const uint64_t features = args.u64(1);
    if (!args.ok()) return number(info, -EINVAL);
    return number(info, -port.start(features));
  });
}

Napi::Value send(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto bytes = args.bytes(1);
    const auto lengths = args.words(2);
    const size_t count = std::min<size_t>({args.u32(3), lengths.size(), kMaxBurst});
    const auto headers = args.has(4) ? args.bytes(4) : std::span<uint8_t>();
    if (!args.ok()) return number(info, -EINVAL);
    return burst(info, port.send(bytes, lengths.first(count), headers));
  });
}

Napi::Value receive(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto into = args.bytes(1);
    const auto lengths = args.words(2);
    const size_t max = std::min<size_t>(args.u32(3), lengths.size());
    const auto headers = args.has(4) ? args.bytes(4) : std::span<uint8_t>();
    if (!args.ok()) return number(info, -EINVAL);
    return burst(info, port.receive(into, lengths.first(max), headers));
  });
}

Napi::Value post_receive(const Napi::CallbackInfo& info) {
  return with_port(info,
                   [&](Port& port, Args& args) { return number(info, port.post_receive(args.u32(1))); });
}

Napi::Value auto_post(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    port.set_auto_post(args.boolean(1));
    return number(info, 0);
  });
}

Napi::Value set_generator(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto config = args.array<double>(1, napi_float64_array);
    const auto macs = args.bytes(2);
    if (!args.ok() || config.size() < 5 || macs.size() < 12) return number(info, -EINVAL);
    guest::GeneratorOptions options;
    options.source = static_cast<uint32_t>(config[0]);
    options.first = static_cast<uint64_t>(config[1]);
    options.lengths = static_cast<guest::Lengths>(static_cast<uint32_t>(config[2]));
    options.minimum = static_cast<uint32_t>(config[3]);
    options.maximum = static_cast<uint32_t>(config[4]);
    std::memcpy(options.destination, macs.data(), 6);
    std::memcpy(options.address, macs.data() + 6, 6);
    return number(info, port.generator().configure(options) ? 0 : -EINVAL);
  });
}

Napi::Value generate(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    return burst(info, port.generate(std::min(args.u32(1), kMaxBurst)));
  });
}

Napi::Value check(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    return burst(info, port.check(std::min(args.u32(1), kMaxBurst)));
  });
}

Napi::Value check_reset(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    port.checker().reset(args.boolean(1));
    return number(info, 0);
  });
}

/// Writes the counts `corrupted` and `foreign`, then seven numbers per source. Returns the number of sources.
Napi::Value report(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto out = args.array<double>(1, napi_float64_array);
    if (!args.ok() || out.size() < 2) return number(info, -EINVAL);
    const guest::Checker& checker = port.checker();
    out[0] = static_cast<double>(checker.corrupted());
    out[1] = static_cast<double>(checker.foreign());
    for (uint32_t n = 0; n < checker.sources() && 2 + 7 * (n + 1) <= out.size(); n++) {
      const guest::SourceReport source = checker.report(n);
      const uint64_t values[] = {source.source,     source.received,  source.lost, source.reordered,
                                 source.duplicated, source.corrupted, source.next};
      std::transform(std::begin(values), std::end(values), out.begin() + 2 + 7 * n,
                     [](uint64_t value) { return static_cast<double>(value); });
    }
    return number(info, checker.sources());
  });
}

Napi::Value stats(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto out = args.array<double>(1, napi_float64_array);
    const guest::PortStats& stats = port.stats();
    const guest::DriverRing &to = port.ring(guest::kToGuest), &from = port.ring(guest::kFromGuest);
    const uint64_t values[] = {stats.sent,           stats.sent_bytes,       stats.received,
                               stats.received_bytes, stats.kicks[0],         stats.kicks[1],
                               stats.waits,          stats.bad_headers,      stats.oversize,
                               to.in_flight(),       from.in_flight(),       port.free_receive_buffers(),
                               to.broken(),          from.broken(),          to.available_index(),
                               to.used_index(),      from.available_index(), from.used_index()};
    const size_t count = std::min(std::size(values), out.size());
    std::transform(values, values + count, out.begin(),
                   [](uint64_t value) { return static_cast<double>(value); });
    return number(info, static_cast<double>(std::size(values)));
  });
}

Napi::Value kick_now(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const uint32_t ring = args.u32(1);
    if (ring > 1) return number(info, -EINVAL);
    port.kick_now(ring);
    return number(info, 0);
  });
}

/// Clears the dirty log, writes its size to `out[0]`, and returns a token for its file. The caller closes the
/// token.
Napi::Value open_log(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto out = args.array<double>(1, napi_float64_array);
    if (!args.ok() || out.empty()) return number(info, -EINVAL);
    if (const int error = port.open_log()) return number(info, -error);
    out[0] = static_cast<double>(port.log().size());
    return duplicate(info, port.log().fd());
  });
}

Napi::Value take_dirty(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto out = args.words(1);
    return number(info, port.log().take(Port::kGuestAddress / 4096, out));
  });
}

/// Reads argument 1 as an offset, and returns whether `bytes` fit at this offset. Offsets fit into 32 bits,
/// because a guest has at most 4 GiB of memory.
bool range(Args& args, Port& port, std::span<uint8_t> bytes, uint64_t& offset) {
  offset = args.u32(1);
  return args.ok() && port.memory().contains(offset, bytes.size());
}

Napi::Value write_memory(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto bytes = args.bytes(2);
    uint64_t offset;
    if (!range(args, port, bytes, offset)) return number(info, -EINVAL);
    std::memcpy(port.memory().at(offset), bytes.data(), bytes.size());
    return number(info, static_cast<double>(bytes.size()));
  });
}

Napi::Value read_memory(const Napi::CallbackInfo& info) {
  return with_port(info, [&](Port& port, Args& args) {
    const auto bytes = args.bytes(2);
    uint64_t offset;
    if (!range(args, port, bytes, offset)) return number(info, -EINVAL);
    std::memcpy(bytes.data(), port.memory().at(offset), bytes.size());
    return number(info, static_cast<double>(bytes.size()));
  });
}

Napi::Value truncate_memory(const Napi::CallbackInfo& info) {
  return with_port(
      info, [&](Port& port, Args& args) { return number(info, -port.memory().truncate(args.u32(1))); });
}

}  // namespace

void register_guest(Napi::Env env, Napi::Object exports) {
  add_function(env, exports, "guestCreate", create);
  add_function(env, exports, "guestCreateBeside", create_beside);
  add_function(env, exports, "guestClose", close);
  add_function(env, exports, "guestMemoryToken", memory_token);
  add_function(env, exports, "guestRingToken", ring_token);
  add_function(env, exports, "guestLayout", layout);
  add_function(env, exports, "guestStart", start);
  add_function(env, exports, "guestSend", send);
  add_function(env, exports, "guestReceive", receive);
  add_function(env, exports, "guestPostReceive", post_receive);
  add_function(env, exports, "guestAutoPost", auto_post);
  add_function(env, exports, "guestGenerator", set_generator);
  add_function(env, exports, "guestGenerate", generate);
  add_function(env, exports, "guestCheck", check);
  add_function(env, exports, "guestCheckReset", check_reset);
  add_function(env, exports, "guestReport", report);
  add_function(env, exports, "guestStats", stats);
  add_function(env, exports, "guestKickNow", kick_now);
  add_function(env, exports, "guestLogOpen", open_log);
  add_function(env, exports, "guestLogTake", take_dirty);
  add_function(env, exports, "guestWrite", write_memory);
  add_function(env, exports, "guestRead", read_memory);
  add_function(env, exports, "guestTruncate", truncate_memory);
}

}  // namespace rxvhost::addon
