// Packets that rateLimit or impair holds until they are due, with a lease on each and one timer for all. They are emitted
// in the order of their times; packets of the same time in the order of their arrival.
//
// A binary heap over three columns, without an object for each packet: to add the last packet takes one comparison, to add
// one in between or to take out the first some ten.
import type { SchedulerLike, Subscriber, Subscription } from 'rxjs'
import { BURST_PACKETS, type Burst } from '../../packet/burst.js'
import type { Packet, Slots } from '../../packet/packet.js'
import { lendBurst, lendPacket } from '../shared/operator.js'
import { clockOf, ROUNDING_MS } from './clock.js'

/** Initial room, which doubles when needed: the default credit of a queue. */
const FIRST_ROOM = 1024
/** A timer of more milliseconds would fire at once (Node). For a later time it is set again when it fires. */
const LONGEST_WAIT = 2 ** 31 - 1

export class DelayLine {
  readonly now: () => number
  /** An argument of hold(): when the packet is due. In an array: a double as an argument would be an object for each packet. */
  readonly due = new Float64Array(1)
  #times = new Float64Array(FIRST_ROOM)
  #ids = new Uint32Array(FIRST_ROOM)
  /** Numbers in the order of arrival, which wrap around. */
  #arrived = new Uint32Array(FIRST_ROOM)
  /** Packets that are due by then are emitted. */
  readonly #limit = new Float64Array(1)
  #size = 0
  #arrivals = 0
  /** The slots of all packets: a thread has one pool. */
  #slots: Slots | null = null
  #single = false
  #timer: Subscription | null = null
  /** When the timer is due. */
  #alarm = Number.POSITIVE_INFINITY
  #completed = false
  // Made once: a closure in arm() would be an allocation for each timer.
  readonly #fired = (): void => {
    this.#timer = null
    this.#alarm = Number.POSITIVE_INFINITY
    this.flush()
  }

  /** `name`: the holder in `stalled` events. */
  constructor(
    readonly out: Subscriber<Burst | Packet>,
    readonly scheduler: SchedulerLike,
    readonly name: string,
  ) {
    this.now = clockOf(scheduler)
    // Added to `out`, since packets are held after the source has completed.
    out.add(() => this.#drop())
  }

  get size(): number {
    return this.#size
  }

  /** Takes over the lease on a packet, until `due[0]`. `single`: emits packets one by one, as they came. */
  hold(slots: Slots, slot: number, single: boolean): void {
    if (this.#size === 0) {
      this.#slots = slots
      slots.holders?.set(this, this.name)
    }
    this.#single = single
    if (this.#size === this.#ids.length) this.#grow()
    const times = this.#times
    const due = this.due[0]
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (times[parent] <= due) break
      this.#move(parent, at)
      at = parent
    }
    times[at] = due
    this.#ids[at] = slot
    this.#arrived[at] = this.#arrivals++
  }

  /** Sets the timer for the first packet. Call it after hold(). */
  arm(now: number): void {
    const first = this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]
    // If the timer fires too early, flush() emits nothing and sets it again.
    if (first >= this.#alarm) return
    this.#timer?.unsubscribe()
    this.#alarm = first
    // Timers count whole milliseconds.
    const wait = Math.min(LONGEST_WAIT, Math.max(0, Math.ceil(first - now - ROUNDING_MS)))
    this.#timer = this.scheduler.schedule(this.#fired, wait)
  }

  /** Emits the packets that are due. */
  flush(): void {
    const { out } = this
    const now = this.now()
    const limit = now + ROUNDING_MS
    this.#limit[0] = limit
    while (this.#isDue() && !out.closed) {
      this.#emit()
      // A flush() from inside `next` may have set it to a later time.
      this.#limit[0] = limit
    }
    if (out.closed) return
    this.arm(now)
    if (this.#completed && this.#size === 0) out.complete()
  }

  /** The source has completed: the result completes once all packets are emitted. */
  complete(): void {
    this.#completed = true
    if (this.#size === 0) this.out.complete()
  }

  #emit(): void {
    const slots = this.#slots as Slots
    if (this.#single) {
      lendPacket(slots, this.#shift(), this.out)
      return
    }
    const core = slots.cores.take(BURST_PACKETS)
    while (core.length < BURST_PACKETS && this.#isDue()) core.ids[core.length++] = this.#shift()
    lendBurst(core, this.out)
    slots.cores.give(core)
  }

  /** Is the first packet due? */
  #isDue(): boolean {
    return this.#size > 0 && this.#times[0] <= this.#limit[0]
  }

  #drop(): void {
    this.#timer?.unsubscribe()
    this.#timer = null
    const slots = this.#slots as Slots
    while (this.#size > 0) {
      const slot = this.#shift()
      slots.dropped(slot, 'unsubscribed')
      slots.release(slot)
    }
  }

  /** Takes out the first packet. */
  #shift(): number {
    const slot = this.#ids[0]
    const last = --this.#size
    if (last === 0) this.#slots?.holders?.delete(this)
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.#isBefore(child + 1, child)) child++
      if (!this.#isBefore(child, last)) break
      this.#move(child, at)
      at = child
    }
    this.#move(last, at)
    return slot
  }

  #isBefore(one: number, other: number): boolean {
    const times = this.#times
    const arrived = this.#arrived
    return (
      times[one] < times[other] || (times[one] === times[other] && ((arrived[one] - arrived[other]) | 0) < 0)
    )
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]
    this.#ids[to] = this.#ids[from]
    this.#arrived[to] = this.#arrived[from]
  }

  #grow(): void {
    const room = 2 * this.#ids.length
    const larger = <A extends Float64Array | Uint32Array>(made: A, from: A): A => {
      made.set(from)
      return made
    }
    this.#times = larger(new Float64Array(room), this.#times)
    this.#ids = larger(new Uint32Array(room), this.#ids)
    this.#arrived = larger(new Uint32Array(room), this.#arrived)
  }
}
