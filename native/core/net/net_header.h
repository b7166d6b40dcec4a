// The virtio-net header (virtio 1.2 §5.1.6): its length by features, and what of it may be believed or passed
// on. The header is copied out of guest memory before any of this looks at it.
#pragma once

#include <cstdint>

#include "core/base/virtio.h"

namespace rxvhost {

using NetHeader = virtio_net_hdr_v1;
static_assert(sizeof(NetHeader) == 12);

inline constexpr uint64_t feature(unsigned bit) { return uint64_t{1} << bit; }

/// The one place that decides between 10 and 12 bytes.
inline uint32_t net_header_length(uint64_t features) {
  const uint64_t wide =
      feature(VIRTIO_NET_F_MRG_RXBUF) | feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_F_RING_PACKED);
  return features & wide ? sizeof(virtio_net_hdr_v1) : sizeof(virtio_net_hdr);
}

/// Why a header is refused on its way out of the guest.
enum class HeaderDrop : uint8_t { none, csum_bounds, gso, feature };

/// Checks a guest's header against what it negotiated and against the packet, and clears what only a device
/// may set.
HeaderDrop accept_header(NetHeader* header, uint32_t packet_length, uint64_t features);

/// May a packet with this header go to a guest with these features? `checksum` asks for the checksum to be
/// filled in by us, since this guest can't take a packet without one.
struct Passage {
  bool allowed;
  bool checksum;
};
Passage passage(const NetHeader& header, uint64_t features);

}  // namespace rxvhost
