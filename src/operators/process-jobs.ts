// The packets that are on their way through processPackets: who waits, who is in work, who is done, and each one's lease.
// It knows neither promises nor concurrency.
import { isObservable, type Observable, type Subscriber } from 'rxjs'
import { BURST_PACKETS, type Burst } from '../burst.js'
import { endPacket, NO_SLOT, Packet, type Slots } from '../packet.js'
import { rewriteSlot } from '../rewriting.js'
import type { WritablePacket } from '../writable-packet.js'
import { lendBurst, lendPacket } from './support.js'

/**
 * What became of a packet. `true` or nothing: it goes on as it is. `false`: it is dropped, counted as `dropped`. Bytes:
 * a frame that goes on instead of it, complete, with no offload left to do. A function: goes on as a copy which that
 * rewrites, as with `mapPackets`.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function without a result has it
export type Verdict = boolean | void | undefined | Uint8Array | ((packet: WritablePacket) => void)

/** A verdict to come. */
export type Later = PromiseLike<Verdict> | Observable<Verdict>

export const isLater = (result: Verdict | Later): result is Later =>
  isObservable(result) || typeof (result as { then?: unknown } | undefined)?.then === 'function'

/** One packet on its way through. */
export interface Job {
  readonly slots: Slots
  slot: number
  /** Came as a single packet, and goes on as one. */
  readonly single: boolean
  /** While it is in work. */
  packet: Packet | null
  done: boolean
  /** Why it does not go on. */
  dropped: string | null
}

export class Jobs {
  /** In order of arrival, from the first that was not emitted yet; those from `#next` on wait for their turn. */
  #jobs: Job[] = []
  #next = 0

  get size(): number {
    return this.#jobs.length
  }

  /** Takes a lease on a packet, which waits then. */
  admit(slots: Slots, slot: number, single: boolean): void {
    slots.retain(slot)
    const job: Job = { slots, slot, single, packet: null, done: false, dropped: null }
    slots.holders?.set(job, 'processPackets()')
    this.#jobs.push(job)
  }

  /** The next that waits is in work now. */
  begin(): Job | null {
    if (this.#next === this.#jobs.length) return null
    const job = this.#jobs[this.#next++]
    job.packet = new Packet(job.slots, job.slot)
    return job
  }

  /** Takes out those that are done; in order: those before the first that is not. */
  takeReady(ordered: boolean): readonly Job[] {
    const ready: Job[] = []
    const rest: Job[] = []
    for (const job of this.#jobs) {
      if (!job.done || (ordered && rest.length > 0)) rest.push(job)
      else ready.push(job)
    }
    this.#jobs = rest
    this.#next -= ready.length
    return ready
  }

  /** The work on it failed. */
  remove(job: Job): void {
    const at = this.#jobs.indexOf(job)
    // Unsubscribed from inside the work: already released.
    if (at < 0) return
    this.#jobs.splice(at, 1)
    this.#next--
    release(job)
  }

  /** The subscription ends; were there any? Those from `uncounted` on are not lost. */
  releaseAll(uncounted: number): boolean {
    const jobs = this.#jobs
    this.#jobs = []
    this.#next = 0
    for (let i = 0; i < jobs.length; i++) {
      if (i < uncounted) jobs[i].slots.dropped(jobs[i].slot, jobs[i].dropped ?? 'unsubscribed')
      release(jobs[i])
    }
    return jobs.length > 0
  }
}

function release(job: Job): void {
  if (job.packet !== null) endPacket(job.packet)
  job.packet = null
  job.slots.holders?.delete(job)
  job.slots.release(job.slot)
}

// The verdict is here. Throws what its function throws.
export function settle(job: Job, verdict: Verdict): void {
  if (job.packet !== null) endPacket(job.packet)
  job.packet = null
  if (verdict === false) job.dropped = 'dropped'
  else if (typeof verdict === 'function' || verdict instanceof Uint8Array) {
    const slot = rewriteSlot(job.slots, job.slot, verdict)
    if (slot === NO_SLOT) job.dropped = 'no-slot'
    else {
      job.slots.release(job.slot)
      job.slot = slot
    }
  }
  job.done = true
}

// Emits jobs from `from` on as one burst, or the next one as a packet; where to go on.
export function emitJobs(jobs: readonly Job[], from: number, out: Subscriber<Burst | Packet>): number {
  const { slots, single } = jobs[from]
  const core = slots.cores.take(BURST_PACKETS)
  let at = from
  for (; at < jobs.length && core.length < (single ? 1 : BURST_PACKETS); at++) {
    const job = jobs[at]
    if (job.slots !== slots || job.single !== single) break
    slots.holders?.delete(job)
    const reason = job.dropped ?? (out.closed ? 'unsubscribed' : null)
    if (reason === null) core.ids[core.length++] = job.slot
    else {
      slots.dropped(job.slot, reason)
      slots.release(job.slot)
    }
  }
  if (core.length > 0 && single) lendPacket(slots, core.ids[0], out)
  else if (core.length > 0) lendBurst(core, out)
  slots.cores.give(core)
  return at
}
