// The packets of processPackets: those that wait for work, those whose work is under way, those whose work is done; each with
// its lease. Jobs are used again, so nothing is allocated for a packet.
import type { Subscriber } from 'rxjs'
import { BURST_PACKETS, type Burst, type BurstCore } from '../../packet/burst.js'
import type { Packet, Slots } from '../../packet/packet.js'
import { lendBurst, lendPacket } from '../shared/operator.js'
import { Job, type Judge } from './job.js'

/** A linked list of jobs. */
class JobList {
  first: Job | null = null
  last: Job | null = null

  push(job: Job): void {
    job.next = null
    if (this.last === null) this.first = job
    else this.last.next = job
    this.last = job
  }

  /** Removes `job`, which follows `previous`. */
  remove(job: Job, previous: Job | null): void {
    if (previous === null) this.first = job.next
    else previous.next = job.next
    if (job.next === null) this.last = previous
    job.next = null
  }
}

export class Jobs {
  /** In order of arrival; those from `#waiting` on wait for work. */
  #list = new JobList()
  #waiting: Job | null = null
  #size = 0
  /** Their work is done, and they are emitted next. */
  #ready = new JobList()
  /** Free for other packets, the one that was freed first in front. */
  readonly #free = new JobList()

  constructor(readonly judge: Judge) {}

  /** Jobs that wait for work, or whose work is under way. */
  get size(): number {
    return this.#size
  }

  /** Takes a lease on a packet, which then waits for work. `hand`: its burst; null for a single packet. */
  admit(slots: Slots, slot: number, hand: BurstCore | null): Job {
    slots.retain(slot)
    const job = this.#free.first ?? new Job(this.judge, slots)
    if (job === this.#free.first) this.#free.remove(job, null)
    job.carry(slots, slot, hand)
    slots.holders?.set(job, 'processPackets()')
    this.#list.push(job)
    this.#size++
    this.#waiting ??= job
    return job
  }

  /** All packets of the burst `hand` have arrived; `first` is the first of its jobs. */
  received(first: Job | null, hand: BurstCore): void {
    for (let job = first; job !== null; job = job.next) if (job.hand === hand) job.hand = null
  }

  /** Takes the next job that waits, for work on it. */
  begin(): Job | null {
    const job = this.#waiting
    if (job !== null) this.#waiting = job.next
    return job
  }

  /**
   * Makes the jobs ready whose work is done; if `ordered`, only those before the first whose work is not. Not those of a burst
   * that is still arriving: they are emitted together.
   */
  makeReady(ordered: boolean): void {
    let previous: Job | null = null
    for (let job = this.#list.first; job !== null && job !== this.#waiting; ) {
      const { next }: Job = job
      if (job.done && job.hand === null) {
        this.#list.remove(job, previous)
        this.#size--
        this.#ready.push(job)
      } else if (ordered) break
      else previous = job
      job = next
    }
  }

  /** Emits the first jobs that are ready, as one burst or as a single packet. False: none is ready. */
  emit(out: Subscriber<Burst | Packet>): boolean {
    const { first } = this.#ready
    if (first === null) return false
    const { slots, single } = first
    const core = slots.cores.take(BURST_PACKETS)
    try {
      this.#take(core, single)
      if (core.length > 0 && single) lendPacket(slots, core.ids[0], out)
      else if (core.length > 0) lendBurst(core, out)
    } finally {
      slots.cores.give(core)
    }
    return true
  }

  // Moves the packets of jobs that can be emitted together into `core`, and drops those whose verdict says so.
  #take(core: BurstCore, single: boolean): void {
    const { slots } = core
    const most = single ? 1 : BURST_PACKETS
    for (let job = this.#ready.first; job !== null && core.length < most; job = this.#ready.first) {
      if (job.slots !== slots || job.single !== single) return
      this.#ready.remove(job, null)
      slots.holders?.delete(job)
      if (job.dropped === null) core.ids[core.length++] = job.slot
      else {
        slots.dropped(job.slot, job.dropped)
        slots.release(job.slot)
      }
      this.#free.push(job)
    }
  }

  /** Removes a job whose work failed, and releases its lease. */
  remove(job: Job): void {
    let previous: Job | null = null
    for (let one = this.#list.first; one !== job; one = one.next) {
      if (one === null) return
      previous = one
    }
    this.#list.remove(job, previous)
    this.#size--
    job.release()
  }

  /** Drops the jobs that are ready, since the `next` that got those before them threw. */
  dropReady(reason: string): void {
    const { first } = this.#ready
    this.#ready = new JobList()
    releaseFrom(first, reason)
  }

  /** The subscription ends: drops all packets. Returns whether any work was still to be done. */
  releaseAll(): boolean {
    const { first } = this.#list
    this.#list = new JobList()
    this.#waiting = null
    this.#size = 0
    this.dropReady('unsubscribed')
    releaseFrom(first, 'unsubscribed')
    return first !== null
  }
}

// Packets of a burst that is still arriving are not counted: their queue emits them again.
function releaseFrom(first: Job | null, reason: string): void {
  for (let job = first; job !== null; job = job.next) {
    if (job.hand === null) job.slots.dropped(job.slot, job.dropped ?? reason)
    job.release()
  }
}
