// What all queues of an env share, and what a source can be told.
import type { BurstCore } from '../packet/burst.js'
import type { Pool } from './pool/pool.js'
import type { Timers } from './ring/kick-guard.js'
import type { Stalled } from './source/stall-watch.js'
import type { Scheduler } from './turn/scheduler.js'
import type { Turn } from './turn/turn.js'

export interface DataPlane {
  /** Where packets live. */
  readonly pool: Pool
  /** Serves queues that have something to do. */
  readonly scheduler: Scheduler
  /** The scope of a burst. */
  readonly turn: Turn
  /** For timeouts; Node's own unless a test has others. */
  readonly timers?: Timers
}

/** Packets and bytes under lease per queue, unless asked otherwise. */
export const CREDIT_PACKETS = 1024
export const CREDIT_BYTES = 8 << 20

/**
 * How a queue waits on an empty ring. `adaptive`: looks a little longer, then asks for a kick. `interrupt`: asks at
 * once. `busy`: never asks, and takes the whole processor.
 */
export type PollMode = 'adaptive' | 'interrupt' | 'busy'

/** What queues of several pairs belong to. */
export interface SourceOwner {
  /** A burst was dequeued from that pair, and is about to be delivered. */
  dequeued(core: BurstCore, pair: number): void
  /** As `onStalled` of its options. */
  stalled(stalled: Stalled, pair: number): void
}

export interface SourceOptions {
  /** How kicks are waited for; see `VhostDriverOptions`. */
  poll?: PollMode
  /** Packets that may be under lease before the queue stops. Default CREDIT_PACKETS. */
  highWaterMark?: number
  /** Bytes likewise. Default CREDIT_BYTES. */
  highWaterBytes?: number
  /** Packets of one burst at most. */
  burst?: number
  /** No lease was released for a while, and there is no credit left. */
  onStalled?: (stalled: Stalled) => void
  /** The first subscriber came. */
  onStart?: () => void
  /** The last subscriber left. */
  onStop?: () => void
}
