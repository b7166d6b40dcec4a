#include "core/tap/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "core/net/frame_counters.h"

namespace rxvhost {

namespace {

constexpr short kFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

// The kernel's own header is checked like the header of a guest that negotiated all offloads.
constexpr uint64_t kAllOffloads = feature(VIRTIO_NET_F_CSUM) | feature(VIRTIO_NET_F_HOST_TSO4) |
                                  feature(VIRTIO_NET_F_HOST_TSO6) | feature(VIRTIO_NET_F_HOST_ECN) |
                                  feature(VIRTIO_NET_F_HOST_UFO);

int result_of(int returned) { return returned < 0 ? -errno : 0; }

}  // namespace

int Tap::open(const char* name, std::unique_ptr<Tap>* made) {
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return -errno;
  ifreq wanted{};
  std::strncpy(wanted.ifr_name, name, IFNAMSIZ - 1);
  wanted.ifr_flags = kFlags;
  if (::ioctl(fd.get(), TUNSETIFF, &wanted) != 0) return -errno;
  std::unique_ptr<Tap> tap(new Tap(std::move(fd)));
  if (const int error = tap->prepare(); error != 0) return error;
  *made = std::move(tap);
  return 0;
}

int Tap::adopt(int fd, std::unique_ptr<Tap>* made) {
  ifreq found{};
  if (::ioctl(fd, TUNGETIFF, &found) != 0) return -errno;
  if ((found.ifr_flags & kFlags) != kFlags) return -EINVAL;
  if (::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return -errno;
  std::unique_ptr<Tap> tap(new Tap(Fd(fd)));
  if (const int error = tap->prepare(); error != 0) return error;
  *made = std::move(tap);
  return 0;
}

int Tap::prepare() {
  ifreq found{};
  if (::ioctl(fd_.get(), TUNGETIFF, &found) != 0) return -errno;
  std::memcpy(name_, found.ifr_name, IFNAMSIZ - 1);
  int bytes = sizeof(NetHeader);
  if (::ioctl(fd_.get(), TUNSETVNETHDRSZ, &bytes) != 0) return -errno;
  return set_offloads(0);
}

int Tap::set_offloads(uint64_t features) {
  // The kernel refuses segmentation without checksums, and ECN without segmentation. A guest may not
  // negotiate these combinations either (virtio 1.2 §5.1.3.1), but `features` comes from the application, so
  // they are removed here.
  unsigned long flags = 0;
  if (features & feature(VIRTIO_NET_F_GUEST_CSUM)) {
    flags |= TUN_F_CSUM;
    if (features & feature(VIRTIO_NET_F_GUEST_TSO4)) flags |= TUN_F_TSO4;
    if (features & feature(VIRTIO_NET_F_GUEST_TSO6)) flags |= TUN_F_TSO6;
    if (features & feature(VIRTIO_NET_F_GUEST_UFO)) flags |= TUN_F_UFO;
    if (flags != TUN_F_CSUM && features & feature(VIRTIO_NET_F_GUEST_ECN)) flags |= TUN_F_TSO_ECN;
  }
  return result_of(::ioctl(fd_.get(), TUNSETOFFLOAD, flags));
}

int Tap::persist() { return result_of(::ioctl(fd_.get(), TUNSETPERSIST, 1)); }

int Tap::interface_ioctl(unsigned long request, ifreq* wanted) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return -errno;
  std::memcpy(wanted->ifr_name, name_, IFNAMSIZ);
  return result_of(::ioctl(socket.get(), request, wanted));
}

int Tap::set_mtu(uint32_t mtu) {
  ifreq wanted{};
  wanted.ifr_mtu = static_cast<int>(mtu);
  return interface_ioctl(SIOCSIFMTU, &wanted);
}

int Tap::set_up() {
  ifreq wanted{};
  if (const int error = interface_ioctl(SIOCGIFFLAGS, &wanted); error != 0) return error;
  wanted.ifr_flags |= IFF_UP;
  return interface_ioctl(SIOCSIFFLAGS, &wanted);
}

// Reads a frame into frame_ and header_.
Tap::Got Tap::receive() {
  const iovec parts[2] = {{&header_, sizeof(header_)}, {frame_.get(), kMaxPacket + 1}};
  ssize_t got;
  do got = ::readv(fd_.get(), parts, 2);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN) return Got::nothing;
    if (errno == EINVAL) return drop(drop_refused);
    error_ = errno;
    return Got::error;
  }
  if (got < static_cast<ssize_t>(sizeof(header_) + kMinPacket)) return drop(drop_runt);
  const uint32_t length = static_cast<uint32_t>(got) - sizeof(header_);
  if (length > kMaxPacket) return drop(drop_too_long);
  switch (accept_header(&header_, length, kAllOffloads)) {
    case HeaderDrop::none:
      waiting_ = length;
      return Got::frame;
    case HeaderDrop::csum_bounds:
      return drop(drop_csum_bounds);
    default:
      return drop(drop_gso);
  }
}

uint32_t Tap::read_burst(Pool& pool, uint32_t account, uint32_t max, uint32_t* slots) {
  if (error_ != 0) return kBurstStopped;
  const uint32_t most = std::min(max, kMaxBurst);
  SlotTaker taker(pool, account);
  uint64_t* stats = from_host_->at;
  uint32_t count = 0, dropped = 0, result = kBurstMore;  // replaced if the loop ends before `most` frames
  while (count + dropped < most) {
    if (taker.credit() == 0 || !taker.within_bytes()) {
      result = kBurstCredit;
      break;
    }
    const Got got = waiting_ != 0 ? Got::frame : receive();
    if (got == Got::dropped) {
      dropped++;
      continue;
    }
    if (got != Got::frame) {
      result = got == Got::error ? uint32_t{kBurstStopped} : 0;
      break;
    }
    const int32_t slot = taker.take(waiting_);
    if (slot < 0) {
      result = kBurstNoSlot;
      break;
    }
    std::memcpy(taker.data(taker.meta(slot)), frame_.get(), waiting_);
    taker.meta(slot).header = header_;
    stats[stat_packets]++;
    stats[stat_bytes] += waiting_;
    count_frame(stats, frame_.get(), waiting_);
    waiting_ = 0;
    slots[count++] = static_cast<uint32_t>(slot);
  }
  stats[stat_bursts]++;
  stats[stat_idle_bursts] += count + dropped == 0;
  return result | count;
}

Tap::Put Tap::send(const uint8_t* frame, const SlotMeta& meta) {
  NetHeader header = meta.header;
  header.num_buffers = 0;
  // hdr_len is only a hint of the guest, but the kernel relies on it, so it must not exceed the packet.
  header.hdr_len = static_cast<uint16_t>(std::min<uint32_t>(header.hdr_len, meta.length));
  const iovec parts[2] = {{&header, sizeof(header)}, {const_cast<uint8_t*>(frame), meta.length}};
  ssize_t put;
  do put = ::writev(fd_.get(), parts, 2);
  while (put < 0 && errno == EINTR);
  if (put >= 0) return Put::taken;
  switch (errno) {
    case EAGAIN:
      return Put::full;
    case EBADFD:
    case EBADF:
      error_ = errno;
      return Put::error;
    case EIO:
      to_host_->at[drop_link_down]++;
      return Put::dropped;
    default:
      to_host_->at[drop_refused]++;
      return Put::dropped;
  }
}

uint32_t Tap::write_burst(Pool& pool, const uint32_t* slots, uint32_t count) {
  if (error_ != 0) return kBurstStopped;
  const uint32_t most = std::min(count, kMaxBurst);
  uint64_t* stats = to_host_->at;
  uint32_t taken = 0, dropped = 0, result = 0;
  for (; taken < most; taken++) {
    const uint32_t slot = slots[taken];
    // The metadata is not trusted, because JavaScript can write it.
    if (!pool.holds(slot) || pool.meta(slot).length < kMinPacket) {
      stats[drop_runt]++;
      dropped++;
      continue;
    }
    const SlotMeta& meta = pool.meta(slot);
    const Put put = send(pool.data(slot), meta);
    if (put == Put::dropped) {
      dropped++;
      continue;
    }
    if (put == Put::full) result = kBurstMore;
    if (put == Put::error) result = kBurstStopped;
    if (put != Put::taken) break;
    stats[stat_packets]++;
    stats[stat_bytes] += meta.length;
    count_frame(stats, pool.data(slot), meta.length);
  }
  stats[stat_bursts]++;
  stats[stat_idle_bursts] += taken == 0;
  return result | taken;
}

}  // namespace rxvhost
