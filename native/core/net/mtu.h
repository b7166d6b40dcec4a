// Finds frames that are longer than the guest's MTU allows. The MTU limits the packet in the frame; the
// Ethernet header and up to two VLAN tags are not counted. A frame that is to be segmented may be longer: its
// segments fit, since its sender knows the same MTU (virtio 1.2 §5.1.4.1; vhost-user
// "VHOST_USER_NET_SET_MTU").
#pragma once

#include <cstdint>

#include "core/net/net_header.h"

namespace rxvhost {

/// The longest frame that is within the MTU with or without VLAN tags. An MTU of 0 means no limit.
inline uint32_t surely_within(uint32_t mtu) { return mtu == 0 ? UINT32_MAX : mtu + 14; }

bool beyond_mtu(const uint8_t* frame, uint32_t length, const NetHeader& header, uint32_t mtu);

}  // namespace rxvhost
