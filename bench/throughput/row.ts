// Measures one row of the table: pairs of slices, one slice per side, until enough pairs count. A slice counts if its
// back end was the bottleneck and the class of core distance did not change. A pair counts if both slices count and
// have the same class. A lost or corrupted frame, or different feature masks, make the row void.
import { classOf } from '../support/crossing-class.js'
import { type Rig, type Side, sides } from '../support/rig.js'
import { type Summary, summarize } from '../support/statistics.js'
import { runIdle, runSlice, type Slice, type Work } from './slice.js'

/** Maximum share of polls that found nothing, in a slice that counts. */
const MOST_IDLE = 0.05
/** Maximum share of discarded slices. */
export const MOST_DISCARDED = 0.2

/**
 * Maximum share of a slice's time in which another process ran on its core. This time is subtracted, but the effect on
 * the caches remains.
 */
const MOST_WAITED = 0.1

/** The cost of an idle poll is the minimum of several short tries, because other processes may have run in some. */
const IDLE_TRIES = 3
const IDLE_MS = 20
const CHECK_MS = 60
const WARM_MS = 40

export interface RowOptions {
  pairs: number
  ms: number
}

/** A slice with the results computed from it. */
export interface Judged extends Slice {
  /** Nanoseconds for a cache line from core to core, before and after the slice. */
  crossing: [number, number]
  class: string
  /** Nanoseconds per packet, without the time of empty polls and of other processes. */
  cost: number
  /** Share of polls that found nothing. */
  idleShare: number
  /** Share of the time spent in empty polls. */
  idleTimeShare: number
  /** Packets per poll that found packets. */
  fill: number
  /** The reason why the slice does not count; undefined if it counts. */
  discarded?:
    | 'not the bottleneck'
    | 'the cores moved'
    | 'not alone on its core'
    | 'its partner does not count'
}

export interface Row extends Work {
  ring: number
  mergeable: boolean
  /** Negotiated features of both sides. */
  masks: Record<Side, string>
  /** The reason why there is no result; undefined if there is a result. */
  void?: string
  /** Number of packets in the slices in which every frame was checked, before and after the measurement. */
  checked: Record<Side, number>
  slices: Judged[]
  discarded: number
  /** Cost of an empty poll, in nanoseconds. */
  idleCost: Record<Side, number>
  /** Cost of the reference divided by ours, over all pairs and per class. 1 or more: ours costs the same or less. */
  ratio?: Summary
  ratioByClass: Record<string, Summary>
}

export async function measureRow(rig: Rig, work: Work, options: RowOptions): Promise<Row> {
  const { ring, mergeable } = rig.options
  const row: Row = {
    ...work,
    ...{ ring, mergeable, masks: rig.masks, slices: [], discarded: 0, ratioByClass: {} },
    ...{ checked: { reference: 0, ours: 0 }, idleCost: { reference: 0, ours: 0 } },
  }
  const { reference, ours } = rig.masks
  row.void =
    reference === ours ? await checkAll(rig, work, row) : `feature masks differ: ${reference} and ${ours}`
  if (row.void) return row
  for (const side of sides) {
    const costs: number[] = []
    for (let n = 0; n < IDLE_TRIES; n++) costs.push(await runIdle(rig, side, work, IDLE_MS))
    row.idleCost[side] = Math.min(...costs)
  }
  const pairs = await measurePairs(rig, work, options, row)
  row.discarded = row.slices.filter(({ discarded }) => discarded).length
  row.void ??= await checkAll(rig, work, row)
  if (pairs.length > 0) row.ratio = summarize(pairs.map(({ ratio }) => ratio))
  for (const name of new Set(pairs.map(pair => pair.class)))
    row.ratioByClass[name] = summarize(pairs.filter(pair => pair.class === name).map(({ ratio }) => ratio))
  return row
}

interface Pair {
  ratio: number
  class: string
}

/** Maximum number of tries for a slice that counts. After more tries, the other slice of the pair would be too old. */
const TRIES = 4

async function measurePairs(rig: Rig, work: Work, { pairs, ms }: RowOptions, row: Row): Promise<Pair[]> {
  const counting: Pair[] = []
  let before = await rig.crossing()
  const next = async (side: Side): Promise<Judged> => {
    const slice = await runSlice(rig, side, work, { ms, warmMs: WARM_MS, checkAll: false })
    const after = await rig.crossing()
    const judged = judge(slice, [before, after], row.idleCost[side], work)
    before = after
    row.slices.push(judged)
    if (slice.faults.length > 0) row.void ??= `${side}: ${slice.faults.join('; ')}`
    return judged
  }
  const nextThatCounts = async (side: Side): Promise<Judged> => {
    let slice = await next(side)
    for (let tries = 1; slice.discarded && tries < TRIES && !row.void; tries++) slice = await next(side)
    return slice
  }
  for (let tries = 0; counting.length < pairs && tries < pairs * 2 && !row.void; tries++) {
    const reference = await nextThatCounts('reference')
    if (reference.discarded) continue
    const ours = await nextThatCounts('ours')
    if (!ours.discarded && reference.class === ours.class)
      counting.push({ ratio: reference.cost / ours.cost, class: ours.class })
    else for (const slice of [reference, ours]) slice.discarded ??= 'its partner does not count'
  }
  return counting
}

function judge(slice: Slice, crossing: [number, number], idleCost: number, { job }: Work): Judged {
  const { dequeues, enqueues, idleDequeues, idleEnqueues, spinWaitNs, packets } = slice
  const idle = idleDequeues + idleEnqueues
  const idleNs = idle * idleCost + spinWaitNs
  const busy = job === 'source' ? enqueues - idleEnqueues : dequeues - idleDequeues
  const [first, last] = crossing.map(classOf)
  const judged: Judged = {
    ...slice,
    crossing,
    class: first,
    cost: (slice.ns * (1 - slice.waitedShare) - idleNs) / packets,
    idleShare: idle / (dequeues + enqueues),
    idleTimeShare: idleNs / slice.ns,
    fill: packets / busy,
  }
  if (judged.waitedShare > MOST_WAITED) judged.discarded = 'not alone on its core'
  else if (judged.idleShare > MOST_IDLE) judged.discarded = 'not the bottleneck'
  else if (first !== last) judged.discarded = 'the cores moved'
  return judged
}

/** Runs a slice of each side in which every frame is checked. Returns a description of the errors, if there are any. */
async function checkAll(rig: Rig, work: Work, row: Row): Promise<string | undefined> {
  for (const side of sides) {
    const { faults, moved } = await runSlice(rig, side, work, { ms: CHECK_MS, warmMs: 0, checkAll: true })
    if (moved === 0) faults.push('no packet moved')
    row.checked[side] += moved
    if (faults.length > 0) return `${side}, every frame checked: ${faults.join('; ')}`
  }
  return undefined
}
