// Notices a queue whose credit is used up and whose holders release nothing: an operator that forgot a lease, or one
// that waits for more packets than the credit allows. It reports once, with who holds what (names in debug mode).

import type { Pool } from '../pool/pool.js'
import { nodeTimers, type Timers } from '../ring/kick-guard.js'

/** Without credit for this long, and nothing released meanwhile, is a stall. */
export const STALLED_MS = 1000

export interface Stalled {
  /** Packets under lease. */
  readonly held: number
  /** Who holds leases in this process, by the name given to retain(), and how many. Empty outside debug mode. */
  readonly holders: Readonly<Record<string, number>>
}

// A pipeline can run out of credit for a moment thousands of times a second, so the timer is left alone when credit comes
// back, and looks for itself whether there is still something to watch.
export class StallWatch {
  #timer: unknown = null
  /** Without credit; `#held` is what was out when that began, or at the last look. */
  #waiting = false
  /** That began after the timer was set, and has not been waited for long enough. */
  #since = false
  #account = 0
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
    this.#since = this.#timer !== null
    if (this.#timer === null) this.#set()
  }

  /** There is credit again. */
  end(): void {
    this.#waiting = false
  }

  /** Nobody wants it. */
  stop(): void {
    this.#waiting = false
    if (this.#timer !== null) this.timers.clear(this.#timer)
    this.#timer = null
  }

  #set(): void {
    this.#timer = this.timers.set(() => this.#look(), STALLED_MS)
    // A stalled pipeline must not keep the process alive by itself.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  #look(): void {
    this.#timer = null
    if (!this.#waiting) return
    const now = this.pool.accounts.packets(this.#account)
    const moved = this.#since || now < this.#held
    this.#since = false
    this.#held = now
    if (moved) this.#set()
    else this.report({ held: now, holders: this.pool.holding() })
  }
}
