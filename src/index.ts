// The public API of `rx-vhost`.

export type { Explanation, Missing, RingExplanation } from './control/explain.js'
export type { FeatureName, ProtocolFeatureName } from './control/feature-names.js'
export { type LatencyBucket, LatencyHistogram } from './data/counters/latency.js'
export { configurePool } from './data/env.js'
export type { PollMode } from './data/source/options.js'
export type { DeviceEvent, DriverEvent, MemoryRegion, PeerCredentials, RingInfo } from './device/events.js'
export { VhostDevice } from './device/net/device.js'
export type { TraceEntry } from './device/trace.js'
export { VhostDriver } from './driver/driver.js'
export type { SinkSettings, VhostDriverOptions } from './driver/options.js'
export { VhostError, type VhostErrorCode, type VhostErrorDetail } from './errors.js'
export { Burst, HeldBurst } from './packet/burst.js'
export { DetachedBurst, DetachedPacket } from './packet/detached.js'
export { HeldPacket, Packet } from './packet/packet.js'
export type { DropReason, Overflow, PacketSink, StationWatcher } from './packet/sink.js'
export { WritablePacket } from './packet/writable.js'
export type {
  DeviceStatsSample,
  StatsChange,
  StatsRates,
  StatsSample,
  StatsTime,
} from './queue/meter.js'
export { VhostQueue, VhostSink } from './queue/queue.js'
export type { DeviceStats, QueueStats, SinkStats, SourceStats, VringStats } from './queue/stats.js'
export type { PeerAllowList } from './transport/access.js'
