// One slice: resumes a back end, lets it run one job for some time with the generator's traffic, and pauses it again.
// The figures of a slice are used only if the numbers of sent and received packets match.

import type { Usage } from '../support/program.js'
import type { Rig, Side } from '../support/rig.js'
import { countsEnqueued, type Form, type Job } from './jobs.js'
import type { Counters, Sample } from './meter.js'

export interface Work {
  job: Job
  form: Form
  size: number
  burst: number
}

/** Number of different frames that a source sends repeatedly. */
export const SEEDS = 256

interface Totals extends Counters {
  held: number
  bad: number
  /** Missing in the reference, which never drops packets. */
  dropped?: number
}

interface Received {
  received: number
  lost: number
  reordered: number
  corrupted: number
}

interface Sent {
  sent: number
  passing: number
  receivers: Received[]
}

export interface Slice extends Sample {
  side: Side
  /** Packets of the job: in the measured time, and in the whole slice (`moved`). */
  packets: number
  moved: number
  usage: Usage
  cpuShare: number
  /** Time in milliseconds in which the back end was ready to run but another process had its core; and its share. */
  waitedMs: number
  waitedShare: number
  /** Errors in the traffic; empty if there are none. */
  faults: string[]
}

export interface SliceOptions {
  ms: number
  warmMs: number
  checkAll: boolean
}

export async function runSlice(rig: Rig, side: Side, work: Work, options: SliceOptions): Promise<Slice> {
  const back = rig.back[side]
  const { job, size } = work
  const check = options.checkAll ? 'all' : 'some'
  back.wake()
  try {
    if (job === 'source') await giveSeeds(rig, side, size)
    const sample = back.ask<Sample>(command(side, work, options, check), options.ms + options.warmMs)
    await rig.generator.ask(`run ${rig.set(side)} ${job} ${size} ${check} ${SEEDS}`)
    const before = { at: performance.now(), ...back.usage() }
    const measured = await sample
    const usage = back.usage()
    const wallMs = performance.now() - before.at
    const waitedMs = waitedFor(before, usage)
    // Stop the sender first, so that packets in the rings still arrive.
    let expected = 0
    if (job !== 'source') expected = (await rig.generator.ask<{ sent: number }>('stop')).sent
    const totals = await back.ask<Totals>(`stop ${expected}`)
    if (job === 'source') await rig.generator.ask('stop')
    const sent = await rig.generator.ask<Sent>(`end ${totals.enqueued}`)
    return {
      ...measured,
      side,
      packets: packetsOf(job, measured),
      moved: packetsOf(job, totals),
      usage,
      cpuShare: (usage.cpuMs - before.cpuMs) / wallMs,
      waitedMs,
      waitedShare: waitedMs / wallMs,
      faults: faultsOf(job, totals, sent),
    }
  } finally {
    back.rest()
  }
}

const packetsOf = (job: Job, { enqueued, dequeued }: Counters): number =>
  countsEnqueued(job) ? enqueued : dequeued

/** Returns the time of other processes, in ms. Time of the back end's own threads is not subtracted from its cost. */
const waitedFor = (before: Usage, now: Usage): number =>
  Math.max(0, now.waitedMs - before.waitedMs - Math.max(0, now.ownThreadsMs - before.ownThreadsMs))

const command = (side: Side, { job, form, size, burst }: Work, { ms, warmMs }: SliceOptions, check: string) =>
  `run ${job} ${size} ${warmMs} ${ms} ${check}${side === 'ours' ? ` ${form} ${burst}` : ''}`

async function giveSeeds(rig: Rig, side: Side, size: number): Promise<void> {
  const seeded = rig.back[side].ask(`seed ${SEEDS}`)
  await rig.generator.ask(`seed ${rig.set(side)} ${SEEDS} ${size}`)
  await seeded
}

/** Measures the cost of an empty poll in ns, without the wait after it. The front end sends nothing meanwhile. */
export async function runIdle(rig: Rig, side: Side, work: Work, ms: number): Promise<number> {
  const back = rig.back[side]
  back.wake()
  try {
    if (work.job === 'source') await giveSeeds(rig, side, work.size)
    const options = { ms, warmMs: 20, checkAll: false }
    const { ns, idleDequeues, idleEnqueues, spinWaitNs } = await back.ask<Sample>(
      command(side, work, options, 'some'),
      ms,
    )
    // The job `source` has filled its guest's ring, so let the generator empty the ring.
    await rig.generator.ask(`run ${rig.set(side)} ${work.job} ${work.size} some ${SEEDS}`)
    const { sent } = await rig.generator.ask<{ sent: number }>('stop')
    const { enqueued } = await back.ask<Totals>(`stop ${sent}`)
    await rig.generator.ask(`end ${enqueued}`)
    return (ns - spinWaitNs) / Math.max(1, idleDequeues + idleEnqueues)
  } finally {
    back.rest()
  }
}

/** Compares the counts of both ends. Every sent packet must have been dequeued, and delivered exactly once. */
function faultsOf(job: Job, totals: Totals, { sent, passing, receivers }: Sent): string[] {
  const faults: string[] = []
  const expect = (what: string, is: number, should: number): void => {
    if (is !== should) faults.push(`${what}: ${is}, expected ${should}`)
  }
  const delivered = (port: number, count: number): void => {
    const { received, lost, reordered, corrupted } = receivers[port]
    expect(`received at port ${port}`, received, count)
    expect(`lost, reordered, corrupted at port ${port}`, lost + reordered + corrupted, 0)
  }
  if (job !== 'source') expect('dequeued', totals.dequeued, sent)
  if (job === 'source') delivered(0, totals.enqueued)
  if (job === 'echo') delivered(0, sent)
  if (job === 'forward' || job === 'mirror') delivered(1, sent)
  if (job === 'filter-forward') delivered(1, passing)
  if (job === 'mirror') delivered(2, sent)
  expect('frames that the back end found bad', totals.bad, 0)
  if (job !== 'source') expect('held at the end', totals.held, 0)
  expect('dropped', totals.dropped ?? 0, 0)
  return faults
}
