// What distinguishes one kind of device from another for the session (virtio 1.2, 5). The rest of the protocol is common.
import type { Request } from './handler.js'
import type { State } from './types.js'

export interface DeviceKind {
  /** Feature bits that exist here, and are offered unless the program says otherwise. */
  features: bigint
  /** Bits of the protocol, likewise. */
  protocolFeatures: bigint
  /** Bits of the protocol that are offered only when the program gives a configuration space. */
  configProtocolFeatures: bigint
  /** Rings that every device of this kind has. */
  firstRings: number
  /** One more than the largest index of a ring that the front end may name. */
  ringLimit(state: State): number
  /** The answer to GET_QUEUE_NUM. */
  queueNum(state: State): number
  /** True if all rings run that the program needs. */
  isReady(state: State): boolean
  /** Rows of the table of requests that only this kind has. */
  requests: readonly Request[]
}
