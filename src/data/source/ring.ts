// A ring that packets come out of, as a source sees it: it follows rings, which come and go under it, dequeues bursts that
// are charged to the queue's account, and says how to wait for more. Below source.ts, which says who gets the bursts; it
// knows no subscribers, no rxjs and no device.
//
// Waiting. For packets: looks again, or arms the ring's kick. For credit: kicks are suppressed and the guest's ring fills
//   until half of the credit is back. Whoever is waited for only makes the queue ready: serve() does all work.
//
// A base class and not a part: what is called for each burst has one object to look at.
import { BURST_PACKETS, type BurstCore, PRIVATE } from '../../packet/burst.js'
import { Tally } from '../counters/tally.js'
import type { Totals } from '../counters/totals.js'
import type { DataPlane, PollMode, SourceOptions, SourceOwner } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import { KickGuard } from '../ring/kick-guard.js'
import {
  COUNT,
  CREDIT,
  FAULT,
  MORE,
  NO_SLOT,
  type PortEvents,
  type QueuePort,
  STOPPED,
} from '../ring/port.js'
import { LATER, LEAVE, MORE_NOW, SPIN, type Task, type Visit } from '../turn/scheduler.js'
import { Credit } from './credit.js'
import { type Stalled, StallWatch } from './stall-watch.js'

/** How long an adaptive queue looks at its empty ring before it asks for a kick. */
const POLL_MS = 0.05
/** How much of that without a turn of the event loop in between: an answer that is on its way is met at once. */
const SPIN_MS = 0.01

export abstract class SourceRing implements Task, PortEvents {
  queued = false
  deficit = 0
  protected readonly plane: DataPlane
  protected readonly options: SourceOptions
  /** Packets of a burst at most. */
  protected readonly burst: number
  protected port: QueuePort | null = null
  /** Somebody wants packets. */
  protected started = false
  /** Its latency: from a kick to the dequeue that answers it. */
  protected readonly tally = new Tally()
  protected readonly credit: Credit
  readonly #pair: number
  readonly #owner: SourceOwner | null
  readonly #poll: PollMode
  readonly #kicks: KickGuard
  /** Made when credit runs out for the first time. */
  #stall: StallWatch | undefined
  #wake: (() => void) | undefined
  #kicked = false
  #armed = false
  #pollUntil = 0
  /** The last look found nothing, and the next is to come at once. */
  #spinning = false

  /** `owner`: whose queue of that pair it is. */
  constructor(plane: DataPlane, options: SourceOptions, pair: number, owner: SourceOwner | null) {
    this.plane = plane
    this.options = options
    this.#pair = pair
    this.#owner = owner
    this.#poll = options.poll ?? 'adaptive'
    this.burst = Math.min(options.burst ?? BURST_PACKETS, MAX_BURST)
    this.credit = new Credit(plane.pool, options, this.burst, this.tally.drops)
    this.#kicks = new KickGuard(this, plane.timers)
  }

  abstract serve(): Visit

  /** Follows this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.port = port
    this.#armed = false
    port.open(this.credit.open(), this)
    port.suppress()
    this.ready()
  }

  /** The ring is gone. Packets that were dequeued from it stay valid; subscribers wait for the next ring. */
  detach(): void {
    const port = this.port
    if (port === null) return
    this.port = null
    this.#kicks.reset(port)
    this.#kicked = false
    this.tally.leave(port)
    port.close()
  }

  /** Packets under lease, those that nobody was given yet among them. */
  get held(): number {
    return this.credit.held
  }

  /** All that was counted, with all rings that this queue followed. */
  totals(): Totals {
    return this.tally.totals(this.port, this.held)
  }

  kick(): void {
    this.tally.kicks++
    if (this.started && !this.#kicked) this.tally.latency.begin(this.plane.scheduler.clock)
    this.#kicked ||= this.started
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.port) && this.started) this.plane.scheduler.ready(this)
  }

  state(): void {
    this.#armed = false
    this.ready()
  }

  /** There may be something to do. */
  ready(): void {
    this.#stall?.end()
    if (this.started) this.plane.scheduler.ready(this)
  }

  /** A visit begins: the kick that was asked for is not needed any more. */
  protected look(): void {
    if (!this.#armed) return
    this.#armed = false
    this.port?.suppress()
  }

  /** Nobody wants packets any more: nothing is waited for. */
  protected stop(): void {
    this.#armed = false
    this.#kicked = false
    this.#spinning = false
    this.port?.suppress()
    this.#stall?.stop()
  }

  /** Up to `max` packets into `core`, which is empty; result bits. */
  protected dequeue(core: BurstCore, max: number): number {
    const { port } = this
    core.length = 0
    if (port === null) return STOPPED
    if (this.#kicked) this.tally.latency.end(this.plane.scheduler.clock)
    this.#kicked = false
    const { ids, at } = core
    const to = at === PRIVATE ? 0 : at
    // An empty ring is waited at, a little, while nobody else wants a visit: that leaves its lines to the guest.
    const result = this.#spinning && this.plane.scheduler.alone ? port.linger(max, to) : port.dequeue(max, to)
    const count = result & COUNT
    if (count === 0) return result
    if (at === PRIVATE) for (let i = 0; i < count; i++) ids[i] = port.exchange[i]
    core.length = count
    this.#owner?.dequeued(core, this.#pair)
    this.#kicks.worked()
    this.#pollUntil = 0
    this.#spinning = false
    return result
  }

  /** dequeue() gave nothing, with these result bits: how to wait for what comes. */
  protected nothing(result: number): Visit {
    const { scheduler } = this.plane
    const { port } = this
    if (port === null) return LEAVE
    if (result & (CREDIT | NO_SLOT)) {
      this.#waitForSlots(result)
      return LEAVE
    }
    if (result & MORE) {
      // Only garbage so far: it costs as much as packets do.
      this.deficit -= this.burst
      return this.deficit > 0 ? MORE_NOW : LATER
    }
    if (result & (FAULT | STOPPED) && !port.running) return LEAVE
    this.#spinning = this.#poll === 'busy'
    if (this.#poll === 'adaptive') {
      const now = scheduler.now()
      if (this.#pollUntil === 0) this.#pollUntil = now + POLL_MS
      this.#spinning = now < this.#pollUntil - POLL_MS + SPIN_MS
      if (!this.#spinning && now < this.#pollUntil) return LATER
    }
    if (this.#spinning) return SPIN
    this.#pollUntil = 0
    this.#armed = true
    return port.arm() ? LATER : LEAVE
  }

  #waitForSlots(result: number): void {
    const { pool, timers } = this.plane
    this.tally.stalls++
    this.#wake ??= () => this.ready()
    if (result & CREDIT) pool.accounts.whenHalf(this.credit.account, this.#wake)
    else pool.whenFreed(this.#wake)
    this.#stall ??= new StallWatch(pool, stalled => this.#stalled(stalled), timers)
    this.#stall.begin(this.credit.account)
  }

  #stalled(stalled: Stalled): void {
    this.options.onStalled?.(stalled)
    this.#owner?.stalled(stalled, this.#pair)
  }
}
