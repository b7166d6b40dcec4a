// What a queue counts over its life, with what the rings counted that it followed: the same for both directions. It knows
// no ring but by its port.

import type { QueuePort } from '../ring/port.js'
import { counterAt, mergeRingDrops, NO_COUNTERS } from './counters.js'
import { LatencyRecorder } from './latency.js'
import type { Totals } from './totals.js'

const KICKS = counterAt('kicks')
const STALLS = counterAt('stalls')

export class Tally {
  /** Kicks that it was told of. */
  kicks = 0
  /** Times that it had to stop: for credit, or for room. */
  stalls = 0
  /** By reason, besides those that rings count. */
  readonly drops: Record<string, number> = {}
  readonly latency = new LatencyRecorder()
  /** Of rings that it followed before. */
  #before = NO_COUNTERS

  /** It follows this port no more. */
  leave(port: QueuePort): void {
    this.#before = this.#before.slice()
    port.count(this.#before)
  }

  drop(reason: string, count: number): void {
    this.drops[reason] = (this.drops[reason] ?? 0) + count
  }

  /** All of it. `port`: which it follows; `held`: packets that it holds. */
  totals(port: QueuePort | null, held: number): Totals {
    const counters = this.#before.slice()
    port?.count(counters)
    counters[KICKS] += this.kicks
    counters[STALLS] += this.stalls
    const drops = { ...this.drops }
    mergeRingDrops(drops, counters)
    return { counters, drops, held, latencies: this.latency.counts }
  }
}
