// What one native call of the data path returns: how many packets moved, and why it stopped. The bits cross
// into JavaScript in one number (src/data/ring/port.ts).
#pragma once

#include <cstdint>

namespace rxvhost {

enum BurstBits : uint32_t {
  kBurstCount = 0xffff,     // packets moved
  kBurstMore = 1 << 16,     // dequeue: there is more; enqueue: stopped for lack of buffers
  kBurstFault = 1 << 17,    // the ring is latched: ask why
  kBurstStopped = 1 << 18,  // the ring is not running, or control has it
  kBurstNoSlot = 1 << 19,   // the pool has nothing for this account
  kBurstCredit = 1 << 20,   // the account's limit is reached
};

}  // namespace rxvhost
