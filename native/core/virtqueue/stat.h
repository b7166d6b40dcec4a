// What a ring counts, by index. Written by `npm run generate` from src/data/counters/declared.ts.
#pragma once

#include <cstdint>

namespace rxvhost {

enum Stat : uint32_t {
  stat_packets,
  stat_bytes,
  stat_multicast,
  stat_broadcast,
  stat_undersize,
  stat_size_64,
  stat_size_65,
  stat_size_128,
  stat_size_256,
  stat_size_512,
  stat_size_1024,
  stat_size_1519,
  stat_calls,
  stat_calls_suppressed,
  stat_call_errors,
  stat_bad_buffers,
  stat_checksums,
  stat_bursts,
  stat_idle_bursts,
  stat_walked,
  drop_short,
  drop_empty,
  drop_runt,
  drop_too_long,
  drop_direction,
  drop_address,
  drop_indirect,
  drop_fragments,
  drop_csum_bounds,
  drop_gso,
  drop_feature,
  drop_rx_too_small,
  drop_offload,
  drop_revoked,
  drop_mtu,
  drop_link_down,
  drop_refused,
  stat_count,
};

}  // namespace rxvhost
