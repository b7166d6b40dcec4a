// One row of the table: pairs of slices, one of each side, until there are enough that count. A slice counts if its back
// end was the bottleneck and the cores stayed as far apart as they were; a pair, if both count and were equally far
// apart. Loss, corruption or another mask voids the row.
import { classOf } from '../support/crossing-class.js'
import { type Rig, type Side, sides } from '../support/rig.js'
import { type Summary, summarize } from '../support/statistics.js'
import { runIdle, runSlice, type Slice, type Work } from './slice.js'

/** Of the polls of a slice that counts, so many may have found nothing. */
const MOST_IDLE = 0.05
/** Of all slices, so many may be discarded. */
export const MOST_DISCARDED = 0.2

/** Of its time, so much another process may have had its core. That is taken off, but not what it left in the caches. */
const MOST_WAITED = 0.1

/** The least of some short tries: what another process took is no cost of a poll. */
const IDLE_TRIES = 3
const IDLE_MS = 20
const CHECK_MS = 60
const WARM_MS = 40

export interface RowOptions {
  pairs: number
  ms: number
}

/** A slice with what was made of it. */
export interface Judged extends Slice {
  /** How far apart the cores were, before and after, in nanoseconds. */
  crossing: [number, number]
  class: string
  /** Nanoseconds per packet, taken off what empty polls took, and other processes. */
  cost: number
  idleShare: number
  /** Of the time, what those polls took. */
  idleTimeShare: number
  /** Packets per poll that found some. */
  fill: number
  /** Why it does not count; undefined: it does. */
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
  /** Why there is no result; undefined: there is. */
  void?: string
  /** Packets of the slices in which every frame was checked, before and after. */
  checked: Record<Side, number>
  slices: Judged[]
  discarded: number
  /** Cost of a round that finds nothing, in nanoseconds. */
  idleCost: Record<Side, number>
  /** Reference's cost over ours, over all pairs and over those of each class: 1 or more is as cheap or cheaper. */
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
  row.void = reference === ours ? await checkAll(rig, work, row) : `masks differ: ${reference} and ${ours}`
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

/** How often a slice that does not count is tried again, before its partner is too old. */
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

/** A slice of each side in which every frame is checked. What is wrong, if anything. */
async function checkAll(rig: Rig, work: Work, row: Row): Promise<string | undefined> {
  for (const side of sides) {
    const { faults, moved } = await runSlice(rig, side, work, { ms: CHECK_MS, warmMs: 0, checkAll: true })
    if (moved === 0) faults.push('nothing moved')
    row.checked[side] += moved
    if (faults.length > 0) return `${side}, every frame checked: ${faults.join('; ')}`
  }
  return undefined
}
