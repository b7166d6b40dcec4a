// What `rx-vhost/operators` exports.
export { type Detached, detach } from './detach.js'
export { drop } from './drop.js'
export { enqueue } from './enqueue.js'
export { filterPackets } from './filter-packets.js'
export type { ConnectionTimeouts } from './firewall/connections.js'
export type { FirewallRule, Ports, Prefix, ProtocolName } from './firewall/rules.js'
export {
  Firewall,
  type FirewallOptions,
  type FirewallReason,
  type FirewallStats,
} from './firewall/state.js'
export { type FirewallOperatorOptions, firewall } from './firewall.js'
export { type FlowGroup, type GroupByFlowOptions, groupByFlow } from './group-by-flow.js'
export { type HashToOptions, hashTo } from './hash-to.js'
export type { BurstLoss, Distribution } from './impair/impairments.js'
export { type ImpairOptions, impair } from './impair.js'
export { type MapPacketsOptions, mapPackets } from './map-packets.js'
export { type Measurement, type MeasureOptions, measure } from './measure.js'
export type { EndedFlow, FlowEnd, FlowRecord, FlowReport } from './measure-flows/meter.js'
export { type MeasureFlowsOptions, measureFlows, topFlows } from './measure-flows.js'
export { mirror } from './mirror.js'
export { partitionPackets } from './partition-packets.js'
export type { Verdict } from './process-packets/job.js'
export { type ProcessPacketsOptions, processPackets } from './process-packets.js'
export { type RateLimitOptions, rateLimit } from './rate-limit.js'
export { type RebatchOptions, rebatch } from './rebatch.js'
export { type Borrowed, release } from './release.js'
export { type Held, retain } from './retain.js'
export type { RewriteEndpoint, RewriteSpec, VlanTag } from './rewrite/plan.js'
export { type RewriteOptions, rewrite } from './rewrite.js'
export { roundRobin } from './round-robin.js'
export {
  type ForwardingEntry,
  ForwardingTable,
  type ForwardingTableOptions,
} from './route/forwarding-table.js'
export { type RouteOptions, route } from './route.js'
export { type SampleOptions, sample } from './sample.js'
export type { SpreadOptions, SpreadSink } from './shared/spread.js'
export { takeUntilAborted } from './take-until-aborted.js'
export { tapPackets } from './tap-packets.js'
