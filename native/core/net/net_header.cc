#include "core/net/net_header.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "core/base/limits.h"

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

constexpr uint32_t kTcpHeader = 20, kTcpChecksum = 16, kUdpHeader = 8, kUdpChecksum = 6;
constexpr uint32_t kIpv4Header = 20, kIpv6Header = 40;

uint32_t be16(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }

// The place of an IP header behind the Ethernet header and at most two VLAN tags; 0: there is none.
uint32_t network_start(const uint8_t* frame, uint32_t size) {
  uint32_t at = 12;
  for (int tags = 0; tags < 2 && at + 2 <= size; tags++) {
    const uint32_t type = be16(frame + at);
    if (type != ETH_P_8021Q && type != ETH_P_8021AD) break;
    at += 4;
  }
  if (at + 2 + kIpv4Header > size) return 0;
  const uint32_t type = be16(frame + at);
  return type == ETH_P_IP || type == ETH_P_IPV6 ? at + 2 : 0;
}

// Does the IP header at `network` fit the segmentation type and the place of the transport header? With
// IPv6, extension headers may stand between the two.
bool names_transport(const NetHeader& header, const uint8_t* frame, uint32_t network, uint8_t protocol) {
  const uint8_t type = header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
  const uint32_t version = frame[network] >> 4;
  if (version == 4 && be16(frame + network - 2) == ETH_P_IP) {
    const uint32_t length = (frame[network] & 15) * 4u;
    return type != VIRTIO_NET_HDR_GSO_TCPV6 && length >= kIpv4Header && frame[network + 9] == protocol &&
           header.csum_start == network + length;
  }
  return version == 6 && be16(frame + network - 2) == ETH_P_IPV6 && type != VIRTIO_NET_HDR_GSO_TCPV4 &&
         header.csum_start >= network + kIpv6Header;
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

bool accept_segments(NetHeader* header, const uint8_t* frame, uint32_t size, uint32_t length) {
  const uint32_t transport = header->csum_start;
  const uint32_t network = network_start(frame, size);
  const bool udp = (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP;
  const uint32_t shortest = udp ? kUdpHeader : kTcpHeader;
  if (network == 0 || transport + shortest > size) return false;
  if (header->csum_offset != (udp ? kUdpChecksum : kTcpChecksum)) return false;
  if (!names_transport(*header, frame, network, udp ? IPPROTO_UDP : IPPROTO_TCP)) return false;
  const uint32_t header_length = udp ? kUdpHeader : uint32_t{frame[transport + 12]} >> 4 << 2;
  const uint32_t payload_at = transport + header_length;
  if (header_length < shortest || payload_at > length) return false;
  header->hdr_len = static_cast<uint16_t>(payload_at);
  const uint32_t payload = length - payload_at;
  if (payload <= header->gso_size) {
    header->gso_type = VIRTIO_NET_HDR_GSO_NONE;
    header->gso_size = 0;
    return true;
  }
  return (payload - 1) / header->gso_size < kMaxSegments;
}

OffloadSupport offload_support(const NetHeader& header, uint64_t features) {
  if ((header.flags | header.gso_type) == 0) return {true, false};
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE && !gso_allowed(header.gso_type, features, false))
    return {false, false};
  const bool partial = header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
  const bool takes_partial = features & feature(VIRTIO_NET_F_GUEST_CSUM);
  // Each segment gets a checksum of its own, so a checksum of the whole frame would be of no use.
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE && !(partial && takes_partial)) return {false, false};
  return {true, partial && !takes_partial};
}

}  // namespace rxvhost
