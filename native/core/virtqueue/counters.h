// What a ring counts. One block belongs to whoever makes the calls: a queue of JavaScript, which reads its
// block as memory, with no call (src/data/counters/counters.ts); the ring itself, where nobody gave one.
// Words of 64 bits, written by the thread that holds the ring's lock.
#pragma once

#include <cstdint>

namespace rxvhost {

/// In the order in which JavaScript reads them (RING_COUNTERS in src/data/counters/counters.ts).
enum Stat : uint32_t {
  stat_packets,
  stat_bytes,
  stat_multicast,  // to a group, other than:
  stat_broadcast,  // to everyone
  stat_size_bins,  // frames by length: kSizeBins of them (core/net/frame_counters.h)
  stat_calls = stat_size_bins + 8,
  stat_calls_suppressed,
  stat_call_errors,
  stat_bad_buffers,  // to guest: receive buffers returned unused because their chain was malformed
  stat_checksums,    // checksums filled in by us
  stat_bursts,       // calls that found the ring running
  stat_idle_bursts,  // those among them that found no work, or no room
  drop_short,        // chain shorter than the virtio-net header
  drop_empty,        // header and no packet
  drop_runt,         // shorter than an Ethernet header
  drop_too_long,
  drop_direction,
  drop_address,
  drop_indirect,
  drop_fragments,
  drop_csum_bounds,
  drop_gso,
  drop_feature,
  drop_rx_too_small,  // no receive buffer of this guest can hold the packet
  drop_offload,       // needs segmentation that this guest did not negotiate
  drop_revoked,       // copied from memory that was taken away meanwhile
  drop_mtu,           // longer than the MTU that the front end told
  drop_link_down,     // of a TAP interface: it is not up
  drop_refused,       // likewise: the kernel takes no such frame, or has no header for it
  stat_count,
};

struct Counters {
  uint64_t at[stat_count] = {};
};

}  // namespace rxvhost
