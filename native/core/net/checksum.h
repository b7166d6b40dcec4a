// The Internet checksum (RFC 1071) that a guest left to its device and the receiving guest can't take
// unfilled.
#pragma once

#include <cstdint>

namespace rxvhost {

/// The value to store, in network byte order, at `start + offset`, over `length` bytes from `start`. The
/// field itself holds the pseudo-header's sum and takes part (virtio 1.2 §5.1.6.2).
uint16_t internet_checksum(const uint8_t* data, uint32_t length);

}  // namespace rxvhost
