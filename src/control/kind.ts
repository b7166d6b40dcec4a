// The differences between kinds of devices, as far as the session is concerned (virtio 1.2, 5). The rest of the protocol
// is the same for all kinds.
import type { Request } from './handler.js'
import type { State } from './types.js'

export interface DeviceKind {
  /** The feature bits of this kind. They are offered unless the program says otherwise. */
  features: bigint
  /** The protocol's feature bits, likewise. */
  protocolFeatures: bigint
  /** The protocol's feature bits that are offered only if the program gives a configuration space. */
  configProtocolFeatures: bigint
  /** Rings that every device of this kind has. */
  firstRings: number
  /** One more than the largest index of a ring that the front end may name. */
  ringLimit(state: State): number
  /** The answer to GET_QUEUE_NUM. */
  queueNum(state: State): number
  /** Returns true if all rings run that the program needs. */
  isReady(state: State): boolean
  /** Rows of the table of requests that only this kind has. */
  requests: readonly Request[]
}
