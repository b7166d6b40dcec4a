// What one native call of the data path returns: how many packets it moved, and why it stopped. The bits pass
// to JavaScript in one number (src/data/ring/port.ts).
#pragma once

#include <cstdint>

namespace rxvhost {

enum BurstBits : uint32_t {
  kBurstCount = 0xffff,     // packets moved
  kBurstMore = 1 << 16,     // dequeue: the ring has more; enqueue: the ring has too few buffers
  kBurstFault = 1 << 17,    // the ring is latched; its fault() tells why
  kBurstStopped = 1 << 18,  // the ring is not running, or control is changing it
  kBurstNoSlot = 1 << 19,   // the pool has no slot for this account
  kBurstCredit = 1 << 20,   // the account's limit is reached
};

}  // namespace rxvhost
