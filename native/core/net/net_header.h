// The virtio-net header (virtio 1.2 §5.1.6): its length, the checks of a header that a guest sent, and the
// offloads that a guest can receive. All functions here work on a copy outside guest memory.
#pragma once

#include <cstdint>

#include "core/base/virtio.h"

namespace rxvhost {

using NetHeader = virtio_net_hdr_v1;
static_assert(sizeof(NetHeader) == 12);

inline constexpr uint64_t feature(unsigned bit) { return uint64_t{1} << bit; }

/// The length of the header in the ring, in bytes: 10 or 12.
inline uint32_t net_header_length(uint64_t features) {
  const uint64_t wide =
      feature(VIRTIO_NET_F_MRG_RXBUF) | feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_F_RING_PACKED);
  return features & wide ? sizeof(virtio_net_hdr_v1) : sizeof(virtio_net_hdr);
}

/// Why the header of a packet from a guest is refused.
enum class HeaderDrop : uint8_t { none, csum_bounds, gso, feature };

/// Checks a guest's header against the negotiated features and against the packet, and clears the fields that
/// only a device may set.
HeaderDrop accept_header(NetHeader* header, uint32_t packet_length, uint64_t features);

/// Bytes at the beginning of a frame that accept_segments() may need: with two VLAN tags, IPv6 with a few
/// extension headers, and TCP.
inline constexpr uint32_t kSegmentHead = 256;

/// Checks a header that asks for segmentation, after accept_header(), against a private copy of the frame's
/// first `size` bytes: all of it, or kSegmentHead. `length` is that of the frame. False: the frame is not
/// what the header says, or would become too many segments. Writes the true length of the frame's headers
/// into `hdr_len`, and clears the segmentation of a frame that is no longer than one segment.
bool accept_segments(NetHeader* header, const uint8_t* frame, uint32_t size, uint32_t length);

/// May a packet with this header go to a guest with these features? `checksum` asks for the checksum to be
/// filled in by us, since this guest can't take a packet without one.
struct OffloadSupport {
  bool allowed;
  bool checksum;
};
OffloadSupport offload_support(const NetHeader& header, uint64_t features);

}  // namespace rxvhost
