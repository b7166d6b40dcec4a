// The packets that are on their way through processPackets: who waits, who is in work, who is done, and each one's lease.
// It knows neither promises nor concurrency. Nothing is made for a packet: jobs go round.
import type { Subscriber } from 'rxjs'
import { BURST_PACKETS, type Burst, type BurstCore } from '../../packet/burst.js'
import type { Packet, Slots } from '../../packet/packet.js'
import { lendBurst, lendPacket } from '../shared/operator.js'
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
  /** Done, and next to be emitted. */
  #ready = new Row()
  /** Through, for the next packets: those that are longest so first. */
  readonly #free = new Row()

  constructor(readonly judge: Judge) {}

  /** Those that are not ready. */
  get size(): number {
    return this.#size
  }

  /** Takes a lease on a packet, which waits then. `hand`: the burst that it came in; null: it is a single one. */
  admit(slots: Slots, slot: number, hand: BurstCore | null): Job {
    slots.retain(slot)
    const job = this.#free.first ?? new Job(this.judge, slots)
    if (job === this.#free.first) this.#free.remove(job, null)
    job.carry(slots, slot, hand)
    slots.holders?.set(job, 'processPackets()')
    this.#row.push(job)
    this.#size++
    this.#waiting ??= job
    return job
  }

  /** The burst is in hand no more; `first` is the first of its jobs. */
  letGo(first: Job | null, hand: BurstCore): void {
    for (let job = first; job !== null; job = job.next) if (job.hand === hand) job.hand = null
  }

  /** The next that waits is in work now. */
  begin(): Job | null {
    const job = this.#waiting
    if (job !== null) this.#waiting = job.next
    return job
  }

  /** Those that are done are ready; in order: those before the first that is not. A burst in hand goes on as one, later. */
  makeReady(ordered: boolean): void {
    let previous: Job | null = null
    for (let job = this.#row.first; job !== null && job !== this.#waiting; ) {
      const { next }: Job = job
      if (job.done && job.hand === null) {
        this.#row.remove(job, previous)
        this.#size--
        this.#ready.push(job)
      } else if (ordered) break
      else previous = job
      job = next
    }
  }

  /** Emits the first that are ready, as one burst or as one packet. False: there are none. */
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

  // Takes those out that go on together; what is dropped goes no further.
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

  /** The work on it failed. */
  remove(job: Job): void {
    let previous: Job | null = null
    for (let one = this.#row.first; one !== job; one = one.next) {
      if (one === null) return
      previous = one
    }
    this.#row.remove(job, previous)
    this.#size--
    job.release()
  }

  /** Whoever got those in front of them threw. */
  dropReady(reason: string): void {
    const { first } = this.#ready
    this.#ready = new Row()
    releaseFrom(first, reason)
  }

  /** The subscription ends; was there anything to do yet? */
  releaseAll(): boolean {
    const { first } = this.#row
    this.#row = new Row()
    this.#waiting = null
    this.#size = 0
    this.dropReady('unsubscribed')
    releaseFrom(first, 'unsubscribed')
    return first !== null
  }
}

// Those of a burst in hand are not lost.
function releaseFrom(first: Job | null, reason: string): void {
  for (let job = first; job !== null; job = job.next) {
    if (job.hand === null) job.slots.dropped(job.slot, job.dropped ?? reason)
    job.release()
  }
}
