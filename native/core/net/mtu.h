// Is a frame longer than the guest's MTU allows? The MTU is that of the packet inside: an Ethernet header and
// up to two VLAN tags come on top. A frame that is to be segmented is not judged by its length: its segments
// fit, since their sender knows the same MTU (virtio 1.2 §5.1.4.1; vhost-user "VHOST_USER_NET_SET_MTU").
#pragma once

#include <cstdint>

#include "core/net/net_header.h"

namespace rxvhost {

/// Frames up to this are within an MTU whatever they hold. 0 = no limit.
inline uint32_t surely_within(uint32_t mtu) { return mtu == 0 ? UINT32_MAX : mtu + 14; }

bool beyond_mtu(const uint8_t* frame, uint32_t length, const NetHeader& header, uint32_t mtu);

}  // namespace rxvhost
