// Notices a queue whose credit is used up and whose holders release nothing: an operator that forgot a lease, or one
// that waits for more packets than the credit allows. It reports once, with who holds what (names in debug mode).
import { nodeTimers, type Timers } from './kick-guard.js'
import type { Pool } from './pool.js'

/** Without credit for this long, and nothing released meanwhile, is a stall. */
export const STALLED_MS = 1000

export interface Stalled {
  /** Packets under lease. */
  readonly held: number
  /** Who holds leases in this process, by the name given to retain(), and how many. Empty outside debug mode. */
  readonly holders: Readonly<Record<string, number>>
}

export class StallWatch {
  #timer: unknown = null

  constructor(
    readonly pool: Pool,
    readonly report: (stalled: Stalled) => void,
    readonly timers: Timers = nodeTimers,
  ) {}

  /** There is no credit. */
  begin(account: number): void {
    if (this.#timer !== null) return
    const held = this.pool.accounts.packets(account)
    this.#timer = this.timers.set(() => {
      this.#timer = null
      const now = this.pool.accounts.packets(account)
      if (now < held) this.begin(account)
      else this.report({ held: now, holders: this.pool.holding() })
    }, STALLED_MS)
    // A stalled pipeline must not keep the process alive by itself.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  /** There is credit again, or nobody wants it. */
  end(): void {
    if (this.#timer === null) return
    this.timers.clear(this.#timer)
    this.#timer = null
  }
}
