// The packets that are on their way through processPackets: who waits, who is in work, who is done, and each one's lease.
// It knows neither promises nor concurrency. Nothing is made for a packet: jobs go round.
import type { Subscriber } from 'rxjs'
import { BURST_PACKETS, type Burst } from '../../burst.js'
import type { Packet, Slots } from '../../packet.js'
import { lendBurst, lendPacket } from '../support.js'
import { Job, type Judge } from './job.js'

/** Jobs one behind the other. */
class Row {
  first: Job | null = null
  last: Job | null = null

  push(job: Job): void {
    job.next = null
    if (this.last === null) this.first = job
    else this.last.next = job
    this.last = job
  }

  /** Takes out `job`, which stands behind `previous`. */
  remove(job: Job, previous: Job | null): void {
    if (previous === null) this.first = job.next
    else previous.next = job.next
    if (job.next === null) this.last = previous
    job.next = null
  }
}

export class Jobs {
  /** In order of arrival, from the first that was not emitted yet; those from `#waiting` on wait for their turn. */
  #row = new Row()
  #waiting: Job | null = null
  #size = 0
  /** Through, for the next packets: those that are longest so first. */
  readonly #free = new Row()

  constructor(readonly judge: Judge) {}

  get size(): number {
    return this.#size
  }

  /** Takes a lease on a packet, which waits then. */
  admit(slots: Slots, slot: number, single: boolean): void {
    slots.retain(slot)
    const job = this.#free.first ?? new Job(this.judge, slots)
    if (job === this.#free.first) this.#free.remove(job, null)
    job.slots = slots
    job.slot = slot
    job.single = single
    job.done = job.later = false
    job.dropped = null
    slots.holders?.set(job, 'processPackets()')
    this.#row.push(job)
    this.#size++
    this.#waiting ??= job
  }

  /** The next that waits is in work now. */
  begin(): Job | null {
    const job = this.#waiting
    if (job !== null) this.#waiting = job.next
    return job
  }

  /** Takes out those that are done; in order: those before the first that is not. The first of a row, or null. */
  takeReady(ordered: boolean): Job | null {
    const ready = new Row()
    let previous: Job | null = null
    for (let job = this.#row.first; job !== null && job !== this.#waiting; ) {
      const { next }: Job = job
      if (job.done) {
        this.#row.remove(job, previous)
        this.#size--
        ready.push(job)
      } else if (ordered) break
      else previous = job
      job = next
    }
    return ready.first
  }

  /** It is through. */
  giveBack(job: Job): void {
    this.#free.push(job)
  }

  /** The work on it failed. */
  remove(job: Job): void {
    let previous: Job | null = null
    for (let one = this.#row.first; one !== null; one = one.next) {
      if (one === job) {
        this.#row.remove(job, previous)
        this.#size--
        release(job)
        return
      }
      previous = one
    }
    // Unsubscribed from inside the work: already released.
  }

  /** The subscription ends; were there any? Those from `uncounted` on are not lost. */
  releaseAll(uncounted: number): boolean {
    const any = this.#size > 0
    let job = this.#row.first
    this.#row = new Row()
    this.#waiting = null
    this.#size = 0
    for (let i = 0; job !== null; i++) {
      if (i < uncounted) job.slots.dropped(job.slot, job.dropped ?? 'unsubscribed')
      release(job)
      job = job.next
    }
    return any
  }
}

function release(job: Job): void {
  job.working = false
  job.end()
  job.slots.holders?.delete(job)
  job.slots.release(job.slot)
}

// Emits jobs from `first` on as one burst, or the first one as a packet; where to go on.
export function emitJobs(first: Job, jobs: Jobs, out: Subscriber<Burst | Packet>): Job | null {
  const { slots, single } = first
  const core = slots.cores.take(BURST_PACKETS)
  let job: Job | null = first
  while (job !== null && core.length < (single ? 1 : BURST_PACKETS)) {
    if (job.slots !== slots || job.single !== single) break
    slots.holders?.delete(job)
    const reason: string | null = job.dropped ?? (out.closed ? 'unsubscribed' : null)
    if (reason === null) core.ids[core.length++] = job.slot
    else {
      slots.dropped(job.slot, reason)
      slots.release(job.slot)
    }
    const { next }: Job = job
    jobs.giveBack(job)
    job = next
  }
  if (core.length > 0 && single) lendPacket(slots, core.ids[0], out)
  else if (core.length > 0) lendBurst(core, out)
  slots.cores.give(core)
  return job
}
