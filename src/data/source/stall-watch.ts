// Detects a queue that has no credit and whose holders release nothing: an operator that forgot to release, or one that
// waits for more packets than the credit allows. Reports once per stall, with the names of the holders in debug mode.

import type { Pool } from '../pool/pool.js'
import { nodeTimers, type Timers } from '../turn/timers.js'
import type { Stalled } from './options.js'

/** Milliseconds without credit and without a release that count as a stall. */
export const STALLED_MS = 1000

// A pipeline can run out of credit thousands of times a second. So end() leaves the timer alone, and the timer, when it
// fires, checks whether the queue still waits.
export class StallWatch {
  #timer: unknown = null
  #waiting = false
  /** The wait began while the timer was already set, so that one period is not over yet when it fires. */
  #beganLate = false
  #account = 0
  /** Packets under lease when the wait began, or at the last check. */
  #held = 0

  constructor(
    readonly pool: Pool,
    readonly report: (stalled: Stalled) => void,
    readonly timers: Timers = nodeTimers,
  ) {}

  /** There is no credit. */
  begin(account: number): void {
    if (this.#waiting) return
    this.#waiting = true
    this.#account = account
    this.#held = this.pool.accounts.packets(account)
    this.#beganLate = this.#timer !== null
    if (this.#timer === null) this.#set()
  }

  /** There is credit again. */
  end(): void {
    this.#waiting = false
  }

  /** The queue has no subscriber any more. */
  stop(): void {
    this.#waiting = false
    if (this.#timer !== null) this.timers.clear(this.#timer)
    this.#timer = null
  }

  #set(): void {
    this.#timer = this.timers.set(() => this.#check(), STALLED_MS)
    // A stalled pipeline must not keep the process alive by itself.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  #check(): void {
    this.#timer = null
    if (!this.#waiting) return
    const now = this.pool.accounts.packets(this.#account)
    const again = this.#beganLate || now < this.#held
    this.#beganLate = false
    this.#held = now
    if (again) this.#set()
    else this.report({ held: now, holders: this.pool.holding() })
  }
}
