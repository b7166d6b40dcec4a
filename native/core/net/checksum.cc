#include "core/net/checksum.h"

#include <cstring>

namespace rxvhost {

uint16_t internet_checksum(const uint8_t* data, uint32_t length) {
  uint64_t sum = 0;
  while (length >= 4) {
    uint32_t word;
    std::memcpy(&word, data, 4);
    sum += word;  // 2^32 words fit before a carry is lost; a packet has 2^14
    data += 4;
    length -= 4;
  }
  uint32_t rest = 0;
  std::memcpy(&rest, data, length);
  sum += rest;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  const uint16_t result = static_cast<uint16_t>(~sum);
  return result == 0 ? 0xffff
                     : result;  // 0 means "no checksum" in UDP; in ones' complement 0xffff is zero, too
}

}  // namespace rxvhost
