// A guest that kicks without work wakes us for nothing, as often as it likes. After a number of such wakes in a row its
// kick is muted for a while, and then looked at once. Used by both kinds of queue.
import type { QueuePort } from './port.js'

/** Wakes without work before the guest is muted, and for how long. */
export const IDLE_KICKS = 64
export const MUTE_MS = 1

/** Node's timers, or a test's. */
export interface Timers {
  set(run: () => void, ms: number): unknown
  clear(timer: unknown): void
}

export const nodeTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: timer => clearTimeout(timer as NodeJS.Timeout),
}

/** A queue on a port. */
export interface Guarded {
  /** Its guest is heard again, and kicks may have been missed: it is to look at its ring. */
  ready(): void
}

export class KickGuard {
  #idle = 0
  #timer: unknown = null

  constructor(
    readonly queue: Guarded,
    readonly timers: Timers = nodeTimers,
  ) {}

  /** The guest kicked. True: serve it. */
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

  worked(): void {
    this.#idle = 0
  }

  /** The port goes away. */
  reset(port: QueuePort): void {
    this.#idle = 0
    if (this.#timer === null) return
    this.timers.clear(this.#timer)
    this.#timer = null
    port.mute(false)
  }
}
