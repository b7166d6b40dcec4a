// Statistics as users see them: shapes and names, made of a queue's totals. Counters that librte_vhost has too bear its
// names, letter by letter, so that dashboards can stay; ours are written as the rest of this library is. No rxjs here:
// src/queue/meter.ts makes streams of these. docs/statistics.md says what increments each.
import { COUNTERS, type Counter, type Counters, counterAt } from '../data/counters/counters.js'
import { LatencyHistogram } from '../data/counters/latency.js'
import type { Totals } from '../data/counters/totals.js'

/** What librte_vhost's `rte_vhost_vring_stats_get` tells of a ring, by its names. Frames are counted without the virtio-net header. */
export interface VringStats {
  /** Packets that were moved. */
  readonly good_packets: number
  /** Bytes of those packets. */
  readonly good_bytes: number
  /** To a group address, those to everyone not among them. */
  readonly multicast_packets: number
  /** To everyone: ff:ff:ff:ff:ff:ff. */
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
  /** Calls: the guest was notified. */
  readonly guest_notifications: number
  /** Calls that the guest had asked to be spared. */
  readonly guest_notifications_suppressed: number
  /** Calls that could not be made: the write into the call fd failed. */
  readonly guest_notifications_error: number
}

/** What both ends of a queue pair count. */
export interface QueueStats extends VringStats {
  /** As `good_packets`. */
  readonly packets: number
  /** As `good_bytes`. */
  readonly bytes: number
  /** From guest: packets under lease. To guest: packets kept for a ring without room. */
  readonly held: number
  /** Packets dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>
  /** Kicks of the guest that were noticed. */
  readonly kicks: number
  /** Native calls that found the ring running. */
  readonly bursts: number
  /** Those among them that found no work, or no room. */
  readonly idleBursts: number
  /** Packets moved by a burst that was not idle, on average; 0 when there was none. */
  readonly burstFill: number
}

/** Of a queue out of the guest. */
export interface SourceStats extends QueueStats {
  /** Times that dequeuing stopped because all credit, or the pool, was used up. */
  readonly creditStalls: number
  /** From the moment that a kick was noticed to the dequeue that answered it, in nanoseconds. */
  readonly kickToDequeue: LatencyHistogram
}

/** Of a way into the guest. */
export interface SinkStats extends QueueStats {
  /** Times that the ring had no room, so that packets waited in the sink. */
  readonly roomStalls: number
  /** Receive buffers that were given back unused because their chain was malformed. */
  readonly badBuffers: number
  /** Checksums that were filled in, since the guest did not negotiate to take packets without. */
  readonly checksums: number
  /** From the moment that the sink was handed a packet to the call that told the guest of it, in nanoseconds. */
  readonly enqueueToCall: LatencyHistogram
}

/** Of a device or a driver: all its queue pairs. */
export interface DeviceStats {
  /** All queues out of the guest, together. */
  readonly fromGuest: SourceStats
  /** All ways into the guest, together. */
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
