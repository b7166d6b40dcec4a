// Statistics as users see them: their shapes and names, made from the totals of a queue. Counters that librte_vhost also has
// bear its names, so that dashboards need no change; the names of others are in camel case. meter.ts makes samples of them.
// docs/statistics.md says what increments each.
import { COUNTERS, type Counter, type Counters, counterAt } from '../data/counters/counters.js'
import { LatencyHistogram } from '../data/counters/latency.js'
import type { Totals } from '../data/counters/totals.js'

/** The counters of librte_vhost's `rte_vhost_vring_stats_get`, by its names. Sizes of frames exclude the virtio-net header. */
export interface VringStats {
  /** Packets moved. */
  readonly good_packets: number
  /** Bytes of those packets. */
  readonly good_bytes: number
  /** To a group address other than the broadcast address. */
  readonly multicast_packets: number
  /** To the broadcast address, ff:ff:ff:ff:ff:ff. */
  readonly broadcast_packets: number
  /** Shorter than 64 bytes. */
  readonly undersize_packets: number
  /** Of 64 bytes. */
  readonly size_64_packets: number
  /** Of 65 to 127 bytes. */
  readonly size_65_127_packets: number
  /** Of 128 to 255 bytes. */
  readonly size_128_255_packets: number
  /** Of 256 to 511 bytes. */
  readonly size_256_511_packets: number
  /** Of 512 to 1,023 bytes. */
  readonly size_512_1023_packets: number
  /** Of 1,024 to 1,518 bytes. */
  readonly size_1024_1518_packets: number
  /** Longer than 1,518 bytes. */
  readonly size_1519_max_packets: number
  /** Notifications to the guest (calls). */
  readonly guest_notifications: number
  /** Calls that were not made, since the guest had suppressed them. */
  readonly guest_notifications_suppressed: number
  /** Calls that failed: the write to the call fd returned an error. */
  readonly guest_notifications_error: number
}

/** The statistics of a queue of either direction. */
export interface QueueStats extends VringStats {
  /** The same as `good_packets`. */
  readonly packets: number
  /** The same as `good_bytes`. */
  readonly bytes: number
  /** From guest: packets under lease. To guest: packets queued for a ring without room. */
  readonly held: number
  /** Packets dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>
  /** Kicks of the guest that were seen. */
  readonly kicks: number
  /** Native calls on a running ring. */
  readonly bursts: number
  /** Native calls that found no packet, or no room. */
  readonly idleBursts: number
  /** Descriptors of chains that were more than one plain buffer. */
  readonly walkedDescriptors: number
  /** Packets per burst that was not idle, on average; 0 if there was none. */
  readonly burstFill: number
}

/** The statistics of a from-guest queue. */
export interface SourceStats extends QueueStats {
  /** Times that dequeuing stopped for lack of credit or of slots in the pool. */
  readonly creditStalls: number
  /** From the moment that a kick was seen to the dequeue that answered it, in nanoseconds. */
  readonly kickToDequeue: LatencyHistogram
}

/** The statistics of a to-guest queue. */
export interface SinkStats extends QueueStats {
  /** Times that the ring had no room, so that packets were queued in the sink. */
  readonly roomStalls: number
  /** Receive buffers that were returned unused because their chain was malformed. */
  readonly badBuffers: number
  /** Checksums that were computed, since the guest did not negotiate VIRTIO_NET_F_GUEST_CSUM. */
  readonly checksums: number
  /** From a packet's arrival in the sink to the call that notified the guest of it, in nanoseconds. */
  readonly enqueueToCall: LatencyHistogram
}

/** The statistics of a device or a driver, over all its queue pairs. */
export interface DeviceStats {
  /** All from-guest queues together. */
  readonly fromGuest: SourceStats
  /** All to-guest queues together. */
  readonly toGuest: SinkStats
}

const AT = Object.fromEntries(COUNTERS.map(name => [name, counterAt(name)])) as Record<Counter, number>

function burstFill(counters: Counters): number {
  const busy = counters[AT.bursts] - counters[AT['idle-bursts']]
  return busy === 0 ? 0 : counters[AT.good_packets] / busy
}

function queueStats({ counters, drops, held }: Totals): QueueStats {
  return {
    packets: counters[AT.good_packets],
    bytes: counters[AT.good_bytes],
    held,
    drops: Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0)),
    good_packets: counters[AT.good_packets],
    good_bytes: counters[AT.good_bytes],
    multicast_packets: counters[AT.multicast_packets],
    broadcast_packets: counters[AT.broadcast_packets],
    undersize_packets: counters[AT.undersize_packets],
    size_64_packets: counters[AT.size_64_packets],
    size_65_127_packets: counters[AT.size_65_127_packets],
    size_128_255_packets: counters[AT.size_128_255_packets],
    size_256_511_packets: counters[AT.size_256_511_packets],
    size_512_1023_packets: counters[AT.size_512_1023_packets],
    size_1024_1518_packets: counters[AT.size_1024_1518_packets],
    size_1519_max_packets: counters[AT.size_1519_max_packets],
    guest_notifications: counters[AT.guest_notifications],
    guest_notifications_suppressed: counters[AT.guest_notifications_suppressed],
    guest_notifications_error: counters[AT.guest_notifications_error],
    kicks: counters[AT.kicks],
    bursts: counters[AT.bursts],
    idleBursts: counters[AT['idle-bursts']],
    walkedDescriptors: counters[AT['walked-descriptors']],
    burstFill: burstFill(counters),
  }
}

/** @internal */
export function sourceStats(totals: Totals): SourceStats {
  return {
    ...queueStats(totals),
    creditStalls: totals.counters[AT.stalls],
    kickToDequeue: new LatencyHistogram(totals.latencies),
  }
}

/** @internal */
export function sinkStats(totals: Totals): SinkStats {
  return {
    ...queueStats(totals),
    roomStalls: totals.counters[AT.stalls],
    badBuffers: totals.counters[AT['bad-buffers']],
    checksums: totals.counters[AT.checksums],
    enqueueToCall: new LatencyHistogram(totals.latencies),
  }
}
