#include "bench/front_end.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>
#include <span>
#include <vector>

#include "core/base/socket.h"
#include "core/base/virtio.h"

namespace rxvhost::bench {

namespace {

// vhost-user, "Message types"; the kernel has no header for them.
enum Request : uint32_t {
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kSetMemTable = 5,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kSetVringEnable = 18,
};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kProtocolFeatures = uint64_t{1} << 30;
constexpr uint64_t kUser = 0x7f00'0000'0000;  // the user address of the guest memory in our messages

struct Header {
  uint32_t request, flags, size;
};

}  // namespace

// The socket is a blocking one, because this thread has no other work.
bool FrontEnd::tell(uint32_t request, const void* payload, uint32_t size, int fd) {
  const Header header{request, kVersion, size};
  std::vector<uint8_t> bytes(sizeof header + size);
  std::memcpy(bytes.data(), &header, sizeof header);
  if (size) std::memcpy(bytes.data() + sizeof header, payload, size);
  const std::span<const int> fds(&fd, fd >= 0 ? 1 : 0);
  return send(socket_.get(), bytes, fds) == static_cast<ssize_t>(bytes.size());
}

bool FrontEnd::ask(uint32_t request, uint64_t& answer) {
  struct [[gnu::packed]] {
    Header header;
    uint64_t value;
  } reply;
  if (!tell(request, nullptr, 0)) return false;
  if (::recv(socket_.get(), &reply, sizeof reply, MSG_WAITALL) != sizeof reply) return false;
  answer = reply.value;
  return reply.header.request == request && reply.header.size == sizeof reply.value;
}

bool FrontEnd::start_ring(guest::Port& port, uint32_t ring) {
  const guest::RingPlace& at = port.plan().rings[ring];
  const struct { uint32_t ring, value; } size{ring, at.chains}, base{ring, 0}, enable{ring, 1};
  const struct {
    uint32_t ring, flags;
    uint64_t descriptors, used, available, log;
  } address{ring, 0, kUser + at.descriptors, kUser + at.used, kUser + at.available, 0};
  const uint64_t index = ring;
  return tell(kSetVringNum, &size, sizeof size) && tell(kSetVringBase, &base, sizeof base) &&
         tell(kSetVringAddr, &address, sizeof address) &&
         tell(kSetVringKick, &index, sizeof index, port.kick_fd(ring)) &&
         tell(kSetVringCall, &index, sizeof index, port.call_fd(ring)) &&
         tell(kSetVringEnable, &enable, sizeof enable);
}

std::string FrontEnd::start(const std::string& path, guest::Port& port, uint64_t features) {
  if (connect_unix(path, socket_) != 0) return "could not connect to " + path;
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) & ~O_NONBLOCK);
  uint64_t offered = 0, protocol = 0;
  if (!tell(kSetOwner, nullptr, 0) || !ask(kGetFeatures, offered)) return "the handshake failed";
  const uint64_t wanted = features | kProtocolFeatures;
  if ((offered & wanted) != wanted) return "the back end does not offer a required feature";
  if (!ask(kGetProtocolFeatures, protocol)) return "GET_PROTOCOL_FEATURES failed";
  protocol = 0;  // to start a device, no protocol feature is necessary
  const struct {
    uint32_t count, padding;
    uint64_t guest, size, user, offset;
  } memory{1, 0, guest::Port::kGuestAddress, port.memory().size(), kUser, 0};
  const bool told = tell(kSetProtocolFeatures, &protocol, sizeof protocol) &&
                    tell(kSetFeatures, &wanted, sizeof wanted) &&
                    tell(kSetMemTable, &memory, sizeof memory, port.memory().fd()) &&
                    start_ring(port, guest::kToGuest) && start_ring(port, guest::kFromGuest);
  // When a request is answered, the back end has handled all earlier messages.
  return told && ask(kGetFeatures, offered) ? std::string()
                                            : "the handshake failed after GET_PROTOCOL_FEATURES";
}

}  // namespace rxvhost::bench
