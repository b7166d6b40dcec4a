#include "core/net/net_header.h"

namespace rxvhost {

namespace {

// The feature bit by which a guest may send (`host`) or receive this segmentation type; 64: there is none.
unsigned gso_feature(uint8_t type, bool host) {
  switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
      return host ? VIRTIO_NET_F_HOST_TSO4 : VIRTIO_NET_F_GUEST_TSO4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
      return host ? VIRTIO_NET_F_HOST_TSO6 : VIRTIO_NET_F_GUEST_TSO6;
    case VIRTIO_NET_HDR_GSO_UDP:
      return host ? VIRTIO_NET_F_HOST_UFO : VIRTIO_NET_F_GUEST_UFO;
    default:
      return 64;
  }
}

bool gso_allowed(uint8_t type, uint64_t features, bool host) {
  const unsigned bit = gso_feature(type, host);
  if (bit >= 64 || !(features & feature(bit))) return false;
  const unsigned ecn = host ? VIRTIO_NET_F_HOST_ECN : VIRTIO_NET_F_GUEST_ECN;
  return !(type & VIRTIO_NET_HDR_GSO_ECN) || (features & feature(ecn));
}

}  // namespace

HeaderDrop accept_header(NetHeader* header, uint32_t packet_length, uint64_t features) {
  if ((header->flags | header->gso_type) == 0) {
    *header = NetHeader{};  // without flags the lengths are only hints
    return HeaderDrop::none;
  }
  header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;  // only a device sets DATA_VALID and RSC_INFO (§5.1.6.2)
  header->num_buffers = 0;
  if (header->flags) {
    if (!(features & feature(VIRTIO_NET_F_CSUM))) return HeaderDrop::feature;
    if (uint32_t{header->csum_start} + header->csum_offset + 2 > packet_length)
      return HeaderDrop::csum_bounds;
  } else {
    header->csum_start = header->csum_offset = 0;
  }
  if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
    header->gso_size = 0;
    return HeaderDrop::none;
  }
  // §5.1.6.2.1: segmentation needs a checksum that is to be filled in, and a segment size.
  if (!gso_allowed(header->gso_type, features, true) || header->gso_size == 0 || !header->flags)
    return HeaderDrop::gso;
  return HeaderDrop::none;
}

Passage passage(const NetHeader& header, uint64_t features) {
  if ((header.flags | header.gso_type) == 0) return {true, false};
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE && !gso_allowed(header.gso_type, features, false))
    return {false, false};
  const bool partial = header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
  return {true, partial && !(features & feature(VIRTIO_NET_F_GUEST_CSUM))};
}

}  // namespace rxvhost
