// Many front ends in one process. Each front end is a virtio-net port of native/guest with its own socket,
// memfd and two rings, and sends the same messages as DPDK's virtio-user, in the same order. The process
// polls the rings and does not sleep during traffic, so that a bench measures the cost of the back end. Each
// command is a line on standard input, and each answer is a line of JSON:
//
//   connect PATH     connects one more port: {"connected":N}
//   echo FIRST COUNT LENGTH PACKETS BATCH
//                    sends numbered frames from COUNT ports in turn, BATCH per turn, receives them and checks
//                    each byte: {"sent":N,"received":N,"wrong":N,"seconds":N}
//
// Any error ends the program, with the reason on standard error. (vhost-user, "Message specification")
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "guest/port.h"

namespace {

using namespace rxvhost;
using namespace rxvhost::guest;

[[noreturn]] void fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::vfprintf(stderr, format, args);
  va_end(args);
  std::fputc('\n', stderr);
  std::exit(1);
}

enum Request : uint32_t {
  GET_FEATURES = 1,
  SET_FEATURES = 2,
  SET_OWNER = 3,
  SET_MEM_TABLE = 5,
  SET_VRING_NUM = 8,
  SET_VRING_ADDR = 9,
  SET_VRING_BASE = 10,
  SET_VRING_KICK = 12,
  SET_VRING_CALL = 13,
  GET_PROTOCOL_FEATURES = 15,
  SET_PROTOCOL_FEATURES = 16,
  SET_VRING_ENABLE = 18,
  SET_STATUS = 39,
};

constexpr uint32_t kVersion = 1, kReply = 4, kNeedReply = 8;
constexpr unsigned kProtocolFeatures = 30, kReplyAck = 3, kStatus = 16;
constexpr uint64_t kFeaturesOk = 0x0b, kDriverOk = 0x0f;
/// Address of the shared memory in the front end's address space, as used in its messages.
constexpr uint64_t kUserAddress = 0x7f00'0000'0000;
constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }
constexpr uint64_t kWanted = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF) |
                             bit(VIRTIO_RING_F_EVENT_IDX) | bit(VIRTIO_RING_F_INDIRECT_DESC) |
                             bit(kProtocolFeatures);

struct Header {
  uint32_t request, flags, size;
};

/// The front end's end of one socket. A call that needs a reply waits for it.
class Connection {
 public:
  void open(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) fail("%s: too long", path.c_str());
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket_ || ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail("%s: %s", path.c_str(), std::strerror(errno));
  }

  void tell(uint32_t request, const void* body, uint32_t size, int fd = -1, uint32_t flags = 0) {
    Header header{request, kVersion | flags, size};
    iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(body), size}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof header + size))
      fail("request %u: %s", request, std::strerror(errno));
  }

  void tell(uint32_t request, uint64_t value, int fd = -1) { tell(request, &value, sizeof value, fd); }
  void tell_ring(uint32_t request, uint32_t ring, uint32_t value) {
    const uint32_t state[2] = {ring, value};
    tell(request, state, sizeof state);
  }

  uint64_t ask(uint32_t request) {
    tell(request, nullptr, 0);
    return reply(request);
  }

  /// Sends a request, and waits for its acknowledgement if REPLY_ACK was negotiated.
  void order(uint32_t request, const void* body, uint32_t size, int fd = -1) {
    tell(request, body, size, fd, acknowledged ? kNeedReply : 0);
    if (acknowledged && reply(request) != 0) fail("the back end refused request %u", request);
  }

  bool acknowledged = false;

 private:
  uint64_t reply(uint32_t request) {
    struct {
      Header header;
      uint64_t value;
    } __attribute__((packed)) answer;
    const ssize_t got = ::recv(socket_.get(), &answer, sizeof answer, MSG_WAITALL);
    if (got != sizeof answer) fail("request %u: no reply", request);
    if (answer.header.request != request || !(answer.header.flags & kReply))
      fail("request %u: unexpected reply", request);
    return answer.value;
  }

  Fd socket_;
};

struct FrontEnd {
  Connection connection;
  Port port;
  uint64_t sent = 0;

  void connect(const std::string& path) {
    PortOptions options;
    options.calls = false;
    if (const int error = port.open(options)) fail("port: %s", std::strerror(error));
    connection.open(path);
    start(negotiate());
  }

 private:
  uint64_t negotiate() {
    Connection& c = connection;
    c.tell(SET_OWNER, nullptr, 0);
    const uint64_t features = c.ask(GET_FEATURES) & kWanted;
    if (features & bit(kProtocolFeatures)) {
      const uint64_t protocol = c.ask(GET_PROTOCOL_FEATURES) & (bit(kReplyAck) | bit(kStatus));
      c.tell(SET_PROTOCOL_FEATURES, protocol);
      c.acknowledged = (protocol & bit(kReplyAck)) != 0;
      status_ = (protocol & bit(kStatus)) != 0;
    }
    for (uint32_t ring : {kToGuest, kFromGuest}) c.tell(SET_VRING_CALL, ring, port.call_fd(ring));
    c.tell(SET_FEATURES, features);
    if (status_) c.order(SET_STATUS, &kFeaturesOk, sizeof kFeaturesOk);
    return features;
  }

  void start(uint64_t features) {
    Connection& c = connection;
    if (const int error = port.start(features & ~bit(kProtocolFeatures)))
      fail("port: %s", std::strerror(error));
    const uint64_t table[] = {1, Port::kGuestAddress, port.plan().size, kUserAddress, 0};
    c.order(SET_MEM_TABLE, table, sizeof table, port.memory().fd());
    for (uint32_t ring : {kToGuest, kFromGuest}) {
      const RingPlace& place = port.plan().rings[ring];
      const uint64_t addresses[] = {ring, kUserAddress + place.descriptors, kUserAddress + place.used,
                                    kUserAddress + place.available, 0};
      c.tell_ring(SET_VRING_NUM, ring, 256);
      c.tell_ring(SET_VRING_BASE, ring, 0);
      c.tell(SET_VRING_ADDR, addresses, sizeof addresses);
      c.tell(SET_VRING_KICK, ring, port.kick_fd(ring));
    }
    if (features & bit(kProtocolFeatures))
      for (uint32_t ring : {kToGuest, kFromGuest}) c.tell_ring(SET_VRING_ENABLE, ring, 1);
    if (status_)
      c.order(SET_STATUS, &kDriverOk, sizeof kDriverOk);
    else
      c.ask(GET_FEATURES);  // its reply shows that the back end has handled all earlier messages
  }

  bool status_ = false;
};

std::vector<std::unique_ptr<FrontEnd>> front_ends;

void connect_one(const std::string& path) {
  front_ends.push_back(std::make_unique<FrontEnd>());
  front_ends.back()->connect(path);
  std::printf("{\"connected\":%zu}\n", front_ends.size());
}

uint64_t wrong_at(const Checker& checker) {
  uint64_t wrong = checker.corrupted() + checker.foreign();
  for (uint32_t n = 0; n < checker.sources(); n++) {
    const SourceReport report = checker.report(n);
    wrong += report.lost + report.reordered + report.duplicated;
  }
  return wrong;
}

void echo(uint32_t first, uint32_t count, uint32_t length, uint64_t packets, uint32_t batch) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kTimeout = std::chrono::seconds(5);
  if (count == 0 || first + count > front_ends.size())
    fail("echo: FIRST and COUNT name ports that are not connected");
  for (uint32_t n = first; n < first + count; n++) {
    Generator& generator = front_ends[n]->port.generator();
    GeneratorOptions options;
    options.source = n;
    options.first = generator.next_sequence();
    options.minimum = options.maximum = length;
    if (!generator.configure(options)) fail("echo: invalid frame length: %u bytes", length);
  }
  uint64_t sent = 0, received = 0, received_before = 0;
  const auto began = Clock::now();
  auto moved = began;
  for (uint32_t n = first; received < packets; n = n + 1 < first + count ? n + 1 : first) {
    Port& port = front_ends[n]->port;
    const auto want = static_cast<uint32_t>(std::min<uint64_t>(batch, packets - sent));
    const BurstResult out = want > 0 ? port.generate(want) : BurstResult{};
    const BurstResult in = port.check(256);
    if (out.broken || in.broken) fail("port %u: the back end wrote invalid entries into a ring", n);
    sent += out.count;
    received += in.count;
    if (n != first) continue;
    const auto now = Clock::now();
    if (received == sent && sent == packets) break;
    if (received != received_before) moved = now;
    received_before = received;
    if (now - moved > kTimeout) break;
  }
  const double took = std::chrono::duration<double>(Clock::now() - began).count();
  uint64_t wrong = 0;
  for (uint32_t n = first; n < first + count; n++) wrong += wrong_at(front_ends[n]->port.checker());
  std::printf("{\"sent\":%llu,\"received\":%llu,\"wrong\":%llu,\"seconds\":%.9f}\n",
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(received),
              static_cast<unsigned long long>(wrong), took);
}

}  // namespace

int main() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  char line[256], path[200];
  while (std::fgets(line, sizeof line, stdin)) {
    unsigned first = 0, count = 0, length = 0, batch = 0;
    unsigned long long packets = 0;
    if (std::sscanf(line, "connect %199s", path) == 1)
      connect_one(path);
    else if (std::sscanf(line, "echo %u %u %u %llu %u", &first, &count, &length, &packets, &batch) == 5)
      echo(first, count, length, packets, batch);
    else
      fail("unknown command or wrong arguments: %s", line);
  }
  return 0;
}
