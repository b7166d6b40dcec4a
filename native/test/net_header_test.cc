// What a guest may say in a packet's virtio-net header, and what a guest may be sent: each check of
// core/net/net_header has a case that fails without it. Ids are those of the catalogue of hostile inputs.
#include "core/net/net_header.h"

#include <netinet/in.h>

#include <cstring>

#include "test/harness.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kAll = feature(VIRTIO_NET_F_CSUM) | feature(VIRTIO_NET_F_HOST_TSO4) |
                          feature(VIRTIO_NET_F_HOST_TSO6) | feature(VIRTIO_NET_F_HOST_UFO);
constexpr uint64_t kReceivesAll = feature(VIRTIO_NET_F_GUEST_CSUM) | feature(VIRTIO_NET_F_GUEST_TSO4);
constexpr uint32_t kNetwork = 14, kTransport = 34, kPayloadAt = 54, kLength = kPayloadAt + 4000;

NetHeader checksum_at(uint16_t start, uint16_t offset) {
  NetHeader header{};
  header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header.csum_start = start;
  header.csum_offset = offset;
  return header;
}

NetHeader segments(uint8_t type = VIRTIO_NET_HDR_GSO_TCPV4, uint16_t size = 1000) {
  NetHeader header = checksum_at(kTransport, 16);
  header.gso_type = type;
  header.gso_size = size;
  return header;
}

HeaderDrop accepted(NetHeader header, uint64_t features = kAll) {
  return accept_header(&header, kLength, features);
}

// The beginning of a TCP frame over IPv4.
struct Frame {
  uint8_t bytes[kSegmentHead] = {};
  Frame() {
    bytes[12] = 0x08;
    bytes[kNetwork] = 0x45;
    bytes[kNetwork + 9] = IPPROTO_TCP;
    bytes[kTransport + 12] = 5 << 4;
  }
  Frame with(uint32_t at, uint8_t value) const {
    Frame other = *this;
    other.bytes[at] = value;
    return other;
  }
  bool takes(NetHeader header, uint32_t length = kLength, uint32_t size = kSegmentHead) const {
    return accept_segments(&header, bytes, size, length);
  }
};

void checksum_bounds() {
  check(accepted(checksum_at(kLength - 2, 0)) == HeaderDrop::none, "the last two bytes are inside");
  check(accepted(checksum_at(kLength - 1, 0)) == HeaderDrop::csum_bounds, "one byte is outside");
  check(accepted(checksum_at(kLength, 0)) == HeaderDrop::csum_bounds, "the end is outside");
  check(accepted(checksum_at(0xffff, 0xffff)) == HeaderDrop::csum_bounds, "the sum does not wrap");
}

void features_and_flags() {
  check(accepted(checksum_at(34, 16), 0) == HeaderDrop::feature, "a checksum needs its feature");
  NetHeader header{};
  header.flags = VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO;
  header.num_buffers = 7;
  header.csum_start = header.csum_offset = 0xffff;
  check(accept_header(&header, kLength, kAll) == HeaderDrop::none, "a device's flags are ignored");
  check(header.flags == 0 && header.num_buffers == 0 && header.csum_start == 0, "and cleared");
}

void segmentation_types() {
  check(accepted(segments()) == HeaderDrop::none, "a good one passes");
  for (const uint8_t type : {0x02, 0x06, 0x7f, 0xff, 0x80, 0x83})
    check(accepted(segments(type), kAll) == HeaderDrop::gso, "no such type was negotiated");
  check(accepted(segments(), kAll & ~feature(VIRTIO_NET_F_HOST_TSO4)) == HeaderDrop::gso, "nor this one");
  check(accepted(segments(VIRTIO_NET_HDR_GSO_TCPV4, 0)) == HeaderDrop::gso, "segments of no bytes");
  NetHeader bare = segments();
  bare.flags = 0;
  check(accepted(bare) == HeaderDrop::gso, "segments need checksums");
}

void segment_counts() {
  const Frame frame;
  check(frame.takes(segments()), "a good one passes");
  check(!frame.takes(segments(VIRTIO_NET_HDR_GSO_TCPV4, 1), kPayloadAt + 60000), "60,000 segments");
  check(frame.takes(segments(VIRTIO_NET_HDR_GSO_TCPV4, 10), kPayloadAt + 10240), "1,024 segments");
  check(!frame.takes(segments(VIRTIO_NET_HDR_GSO_TCPV4, 10), kPayloadAt + 10241), "1,025 segments");
  for (const uint16_t size : {uint16_t{4000}, uint16_t{0xffff}}) {
    NetHeader header = segments(VIRTIO_NET_HDR_GSO_TCPV4, size);
    check(accept_segments(&header, frame.bytes, kSegmentHead, kLength), "one segment is no segmentation");
    check(header.gso_type == VIRTIO_NET_HDR_GSO_NONE && header.gso_size == 0, "and is not asked for");
    check(header.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM, "its checksum is still to be filled in");
  }
}

void frames_that_are_not_what_the_header_says() {
  const Frame frame;
  check(!frame.with(13, 0x06).takes(segments()), "ARP");
  check(!frame.with(kNetwork + 9, IPPROTO_UDP).takes(segments()), "UDP");
  check(!frame.with(kNetwork, 0x65).takes(segments()), "a version that the type does not name");
  check(!frame.with(kNetwork, 0x44).takes(segments()), "an IPv4 header that is too short");
  check(!frame.with(kNetwork, 0x46).takes(segments()), "a checksum that begins elsewhere than TCP");
  check(!frame.takes(segments(VIRTIO_NET_HDR_GSO_TCPV6)), "IPv6 segments of an IPv4 frame");
  check(!frame.with(kTransport + 12, 4 << 4).takes(segments()), "a TCP header that is too short");
  check(!frame.takes(segments(), kPayloadAt - 1), "a TCP header that is longer than the frame");
  check(!frame.takes(segments(), kTransport + 19, kTransport + 19), "a frame that ends in its TCP header");
  check(!frame.takes(segments(), 1, 1), "a frame of one byte");
  NetHeader elsewhere = segments();
  elsewhere.csum_offset = 6;
  check(!frame.takes(elsewhere), "a checksum that is not TCP's");
  elsewhere = segments();
  elsewhere.csum_start = 0xffff;
  check(!frame.takes(elsewhere), "a checksum far away");

  Frame tagged;
  std::memmove(tagged.bytes + 16, frame.bytes + 12, kSegmentHead - 16);
  tagged.bytes[12] = 0x81;
  tagged.bytes[13] = 0;
  NetHeader header = segments();
  header.csum_start += 4;
  check(tagged.takes(header), "a VLAN tag is passed over");

  Frame six = Frame().with(12, 0x86).with(13, 0xdd).with(kNetwork, 0x60).with(kNetwork + 40 + 12, 5 << 4);
  header = segments(VIRTIO_NET_HDR_GSO_TCPV6);
  header.csum_start = kNetwork + 40;
  check(six.takes(header), "IPv6");
  header.csum_start--;
  check(!six.takes(header), "a checksum inside the IPv6 header");
}

void header_length_hint() {
  const Frame frame;
  for (const uint16_t hint : {0, 20, 0xffff}) {
    NetHeader header = segments();
    header.hdr_len = hint;
    check(accept_segments(&header, frame.bytes, kSegmentHead, kLength), "the hint decides nothing");
    check(header.hdr_len == kPayloadAt, "the receiver gets the true length");
  }
}

void what_a_guest_may_be_sent() {
  check(offload_support(NetHeader{}, 0).allowed, "a plain packet");
  check(offload_support(checksum_at(34, 16), 0).checksum, "a checksum is filled in");
  check(!offload_support(checksum_at(34, 16), kReceivesAll).checksum, "unless the guest takes it as it is");
  check(offload_support(segments(), kReceivesAll).allowed, "segments");
  check(!offload_support(segments(), feature(VIRTIO_NET_F_GUEST_TSO4)).allowed,
        "not without checksum offload");
  check(!offload_support(segments(), feature(VIRTIO_NET_F_GUEST_CSUM)).allowed, "not without the feature");
  NetHeader bare = segments();
  bare.flags = 0;
  check(!offload_support(bare, kReceivesAll).allowed, "not without a checksum to fill in");
}

const Register h1("hostile H1, H2: a checksum outside of the packet is dropped", checksum_bounds);
const Register h5("hostile H5, H10: flags and fields of a device are ignored", features_and_flags);
const Register h7("hostile H7: a segmentation that was not negotiated is dropped", segmentation_types);
const Register h6("hostile H6: the number of segments is bounded", segment_counts);
const Register h8("hostile H8: a frame that is not what its header says is dropped",
                  frames_that_are_not_what_the_header_says);
const Register h9("hostile H9: the header length of a frame with segments is computed", header_length_hint);
const Register h13("hostile H13: a guest gets only offloads that it negotiated", what_a_guest_may_be_sent);

}  // namespace
}  // namespace rxvhost::test
