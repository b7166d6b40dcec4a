// Limits the cost of a guest that kicks without work. After a number of such kicks in a row, the guard mutes the kick
// for some time; then the queue looks at its ring once. Each queue has a guard.
import { nodeTimers, type Timers } from '../turn/timers.js'
import type { QueuePort } from './port.js'

/** Kicks in a row without work before the kick is muted. */
export const IDLE_KICKS = 64
/** Milliseconds for which it is muted. */
export const MUTE_MS = 1

/** The queue that follows the port. */
export interface Guarded {
  /** The kick is not muted any more, and kicks may have been missed: the queue looks at its ring. */
  ready(): void
}

export class KickGuard {
  #idle = 0
  #timer: unknown = null

  constructor(
    readonly queue: Guarded,
    readonly timers: Timers = nodeTimers,
  ) {}

  /** The guest kicked. Returns whether the queue should look at its ring. */
  kicked(port: QueuePort | null): boolean {
    if (this.#timer !== null || port === null) return false
    if (++this.#idle < IDLE_KICKS) return true
    this.#idle = 0
    port.mute(true)
    this.#timer = this.timers.set(() => {
      this.#timer = null
      port.mute(false)
      this.queue.ready()
    }, MUTE_MS)
    return false
  }

  /** The queue moved packets. */
  worked(): void {
    this.#idle = 0
  }

  /** The queue leaves the port. */
  reset(port: QueuePort): void {
    this.#idle = 0
    if (this.#timer === null) return
    this.timers.clear(this.#timer)
    this.#timer = null
    port.mute(false)
  }
}
