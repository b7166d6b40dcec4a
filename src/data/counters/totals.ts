// All that a queue has counted, in a form that can be added and subtracted: what is behind the statistics of queues,
// devices and drivers, and of their changes. It knows no names for users (src/queue/stats.ts).
import { addCounters, type Counters, mergeDrops, NO_COUNTERS, newCounters } from './counters.js'
import { LATENCY_BUCKETS, NO_LATENCIES } from './latency.js'

export interface Totals {
  readonly counters: Counters
  readonly drops: Record<string, number>
  /** Packets held now: no sum over time, so a difference has the later one. */
  readonly held: number
  /** By bucket. */
  readonly latencies: Float64Array
}

/** Of several queues, in both directions. */
export interface TotalsOfBoth {
  sourceTotals(): Totals
  sinkTotals(): Totals
}

/** Before anything was counted. Shared, since a thousand devices have six of these each: nobody writes to it. */
export const NO_TOTALS: Totals = { counters: NO_COUNTERS, drops: {}, held: 0, latencies: NO_LATENCIES }

/** To be kept: the shared ones if nothing was counted so far. */
export const kept = (totals: Totals): Totals =>
  totals.counters.some(count => count > 0) || Object.keys(totals.drops).length > 0 ? totals : NO_TOTALS

/** What several queues counted. */
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

/** What was counted between the two. */
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
