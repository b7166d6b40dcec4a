// The Internet checksum (RFC 1071). enqueue fills it in if the sending guest left it to its device and the
// receiving guest did not negotiate VIRTIO_NET_F_GUEST_CSUM.
#pragma once

#include <cstdint>

namespace rxvhost {

/// The checksum over `length` bytes from `start`, in network byte order, to be stored at `start + offset`.
/// The field holds the sum of the pseudo-header before, and is summed, too (virtio 1.2 §5.1.6.2).
uint16_t internet_checksum(const uint8_t* data, uint32_t length);

}  // namespace rxvhost
