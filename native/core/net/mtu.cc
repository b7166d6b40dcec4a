#include "core/net/mtu.h"

namespace rxvhost {

namespace {

constexpr uint32_t kEthernet = 14, kTag = 4, kTags = 2;

bool is_tag(const uint8_t* type) {
  return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8);
}

}  // namespace

bool beyond_mtu(const uint8_t* frame, uint32_t length, const NetHeader& header, uint32_t mtu) {
  if (mtu == 0 || header.gso_type != VIRTIO_NET_HDR_GSO_NONE) return false;
  uint32_t around = kEthernet;
  for (uint32_t tags = 0; tags < kTags && around + kTag <= length && is_tag(frame + around - 2); tags++)
    around += kTag;
  return length > mtu + around;
}

}  // namespace rxvhost
