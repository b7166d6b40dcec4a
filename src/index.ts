// What the package exports.
export { Burst, HeldBurst } from './burst.js'
export type { Explanation, Missing, RingExplanation } from './control/explain.js'
export type { FeatureName, ProtocolFeatureName } from './control/feature-names.js'
export { configurePool } from './data/env.js'
export { type LatencyBucket, LatencyHistogram } from './data/latency.js'
export type { PollMode } from './data/plane.js'
export { DetachedBurst, DetachedPacket } from './detached-packet.js'
export { VhostDevice } from './device.js'
export type { TraceEntry } from './device-trace.js'
export { VhostDriver } from './driver.js'
export type { SinkSettings, VhostDriverOptions } from './driver-options.js'
export { VhostError, type VhostErrorCode, type VhostErrorDetail } from './errors.js'
export type { DeviceEvent, DriverEvent, MemoryRegion, PeerCredentials, RingInfo } from './events.js'
export { HeldPacket, Packet } from './packet.js'
export { VhostQueue, VhostSink } from './queue.js'
export type { DropReason, Overflow, PacketSink } from './sink.js'
export type { DeviceStats, QueueStats, SinkStats, SourceStats, VringStats } from './stats.js'
export type {
  DeviceStatsSample,
  StatsChange,
  StatsRates,
  StatsSample,
  StatsTime,
} from './stats-meter.js'
export type { PeerAllowList } from './transport/access.js'
export { WritablePacket } from './writable-packet.js'
