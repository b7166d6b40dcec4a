// The options of a from-guest queue, and the interface of the group that it belongs to.
import type { BurstCore } from '../../packet/burst.js'

/** Packets and bytes under lease per queue, unless asked otherwise. */
export const CREDIT_PACKETS = 1024
export const CREDIT_BYTES = 8 << 20

/**
 * How a queue waits on an empty ring. `adaptive`: looks a little longer, then asks for a kick. `interrupt`: asks at
 * once. `busy`: never asks, and takes the whole processor.
 */
export type PollMode = 'adaptive' | 'interrupt' | 'busy'

/** A queue without credit whose holders release nothing. */
export interface Stalled {
  /** Packets under lease. */
  readonly held: number
  /** Leases in this process, by the name given to retain(). Empty outside debug mode. */
  readonly holders: Readonly<Record<string, number>>
}

export interface SourceOptions {
  /** How the queue waits for kicks; see `VhostDriverOptions`. */
  poll?: PollMode
  /** Packets that may be under lease before the queue stops. Default CREDIT_PACKETS. */
  highWaterMark?: number
  /** Bytes likewise. Default CREDIT_BYTES. */
  highWaterBytes?: number
  /** Packets of one burst at most. */
  burst?: number
  /** There is no credit left, and no lease was released for STALLED_MS. */
  onStalled?: (stalled: Stalled) => void
  /** The first subscriber came. */
  onStart?: () => void
  /** The last subscriber left. */
  onStop?: () => void
}

/** What the queues of several pairs belong to (group.ts). */
export interface SourceOwner {
  /** A burst was dequeued from that pair and is about to be delivered. */
  dequeued(core: BurstCore, pair: number): void
  /** As `onStalled` of the options. */
  stalled(stalled: Stalled, pair: number): void
}
