// What all queues of an env share. env.ts makes the real one; tests make one on plain arrays and virtual time.
import type { Pool } from './pool/pool.js'
import type { Scheduler } from './turn/scheduler.js'
import type { Timers } from './turn/timers.js'
import type { Turn } from './turn/turn.js'

export interface DataPlane {
  /** The memory of packets. */
  readonly pool: Pool
  /** Visits the queues that have something to do. */
  readonly scheduler: Scheduler
  /** The scope of a burst. */
  readonly turn: Turn
  /** For timeouts. Default: Node's. */
  readonly timers?: Timers
}
