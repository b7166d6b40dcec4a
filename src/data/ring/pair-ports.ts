// The rings of a device, all pairs in one direction, as a group of queues sees them. The device implements it; the groups of
// both directions (source/group.ts, sink/group.ts) follow it.
import type { FlowTable } from '../pair-steering.js'
import type { QueuePort } from './port.js'

export interface PairPorts {
  /** A port on the ring of that pair and this direction. */
  port(pair: number): QueuePort
  readonly flows: FlowTable
  /** Pairs whose ring was started at least once. The first pair is always among them. */
  readonly used: readonly number[]
  /** Whether the guest uses more than the first pair. */
  readonly several: boolean
}
