// What a queue counts over its life (Tally), and readings of it that can be added and subtracted (Totals). The statistics
// of queues, devices and drivers are made of Totals (src/queue/stats.ts).
import {
  addCounters,
  type CounterSource,
  type Counters,
  counterAt,
  mergeDrops,
  mergeRingDrops,
  NO_COUNTERS,
  newCounters,
} from './counters.js'
import { LATENCY_BUCKETS, LatencyRecorder, NO_LATENCIES } from './latency.js'

const KICKS = counterAt('kicks')
const STALLS = counterAt('stalls')

export interface Totals {
  readonly counters: Counters
  /** Packets dropped, by reason. */
  readonly drops: Record<string, number>
  /** Packets held now. It is no sum over time: a difference of two readings has that of the later one. */
  readonly held: number
  /** By bucket (latency.ts). */
  readonly latencies: Float64Array
}

/** Totals of several queues, by direction. */
export interface TotalsOfBoth {
  sourceTotals(): Totals
  sinkTotals(): Totals
}

/** Nothing counted. Shared, since each device has six of these: nobody writes to it. */
export const NO_TOTALS: Totals = { counters: NO_COUNTERS, drops: {}, held: 0, latencies: NO_LATENCIES }

/** What one queue counts, of either direction, together with what the rings counted that it followed. */
export class Tally {
  /** Kicks that the queue was told of. */
  kicks = 0
  /** Times that the queue stopped for lack of credit (source) or of room (sink). */
  stalls = 0
  /** Drops by reason, without those that rings count. */
  readonly drops: Record<string, number> = {}
  readonly latency = new LatencyRecorder()
  /** Counted by rings that the queue followed before. */
  #before = NO_COUNTERS

  /** The queue leaves this ring. */
  leave(ring: CounterSource): void {
    this.#before = this.#before.slice()
    ring.count(this.#before)
  }

  drop(reason: string, count: number): void {
    this.drops[reason] = (this.drops[reason] ?? 0) + count
  }

  /** `ring`: the ring that the queue follows now; `held`: packets that the queue holds now. */
  totals(ring: CounterSource | null, held: number): Totals {
    const counters = this.#before.slice()
    ring?.count(counters)
    counters[KICKS] += this.kicks
    counters[STALLS] += this.stalls
    const drops = { ...this.drops }
    mergeRingDrops(drops, counters)
    return { counters, drops, held, latencies: this.latency.counts }
  }
}

/** The same totals in a form to store: NO_TOTALS if nothing was counted, which saves memory for idle devices. */
export const compact = (totals: Totals): Totals =>
  totals.counters.some(count => count > 0) || Object.keys(totals.drops).length > 0 ? totals : NO_TOTALS

/** The sum over several queues. */
export function sumTotals(all: readonly Totals[]): Totals {
  if (all.length === 1) return all[0]
  const sum = {
    counters: newCounters(),
    drops: {},
    held: 0,
    latencies: new Float64Array(LATENCY_BUCKETS),
  }
  for (const { counters, drops, latencies, held } of all) {
    addCounters(sum.counters, counters)
    mergeDrops(sum.drops, drops)
    if (latencies !== NO_LATENCIES)
      for (let i = 0; i < latencies.length; i++) sum.latencies[i] += latencies[i]
    sum.held += held
  }
  return sum
}

/** What was counted between the two readings. */
export function totalsSince(before: Totals, now: Totals): Totals {
  if (before === NO_TOTALS) return now
  const drops = { ...now.drops }
  for (const [reason, count] of Object.entries(before.drops)) drops[reason] -= count
  return {
    counters: now.counters.map((count, i) => count - before.counters[i]),
    drops,
    held: now.held,
    latencies: now.latencies.map((count, i) => count - before.latencies[i]),
  }
}
