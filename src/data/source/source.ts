// A from-guest queue: the drain loop that dequeues bursts from a ring and has them delivered (delivery.ts) to all subscribers.
// The slowest subscriber governs the queue by its leases. The queue follows rings, which come and go with their devices.
//
// All work is done in serve(), which only the scheduler calls: a release(), a kick or a subscribe() never emits packets.
//
// States:
//   stopped    no subscriber. Packets stay in the ring.
//   draining   in the scheduler's lists.
//   sleeping   the ring is empty and its kick is armed.
//   exhausted  no credit. Kicks are suppressed, and the guest's ring fills until half of the credit is back.

import { VhostError } from '../../errors.js'
import { BURST_PACKETS, type Burst, type BurstCore, PRIVATE } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { mergeDrops } from '../counters/counters.js'
import { Tally, type Totals } from '../counters/totals.js'
import type { DataPlane } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import type { Pool } from '../pool/pool.js'
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
import { LATER, LEAVE, MORE_NOW, Share, SPIN, type Task, type Visit } from '../turn/task.js'
import { Credit, type CreditUser } from './credit.js'
import { Delivery, type Target } from './delivery.js'
import type { PollMode, SourceOptions, SourceOwner, Stalled } from './options.js'

/** Milliseconds that an adaptive queue polls its empty ring before it asks for a kick. */
const POLL_MS = 0.05
/** How much of POLL_MS it polls without a turn of the event loop in between, for an answer that is on its way. */
const SPIN_MS = 0.01

export class SourceQueue implements Task, PortEvents, CreditUser {
  // Task: the scheduler's.
  queued = false
  deficit = 0
  share = new Share()

  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #pair: number
  readonly #owner: SourceOwner | null
  readonly #poll: PollMode
  /** Packets of a burst at most. */
  readonly #burst: number
  /** Its latency is the time from a kick to the dequeue that answers it. */
  readonly #tally = new Tally()
  readonly #credit: Credit
  readonly #kicks: KickGuard
  readonly #delivery: Delivery

  #port: QueuePort | null = null
  /** There are subscribers. */
  #started = false
  /** Changes when the first subscriber comes and when the last one leaves. */
  #epoch = 0
  #closed = false

  /** A kick came that no dequeue has answered yet. */
  #kicked = false
  /** The ring's kick is armed. */
  #armed = false
  /** When polling of the empty ring ends; 0 while the ring is not empty. */
  #pollUntil = 0
  /** The last dequeue found nothing, and the next follows in the same turn. */
  #spinning = false

  /** `owner`: the group in which this is the queue of `pair`. */
  constructor(plane: DataPlane, options: SourceOptions = {}, pair = 0, owner: SourceOwner | null = null) {
    this.#plane = plane
    this.#options = options
    this.#pair = pair
    this.#owner = owner
    this.#poll = options.poll ?? 'adaptive'
    this.#burst = Math.min(options.burst ?? BURST_PACKETS, MAX_BURST)
    this.#credit = new Credit(plane, options, this.#burst, this.#tally.drops, this)
    this.#kicks = new KickGuard(this, plane.timers)
    this.#delivery = new Delivery(plane.pool, plane.turn, this.#burst)
  }

  // ---- Rings come and go.

  /** Follows this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#port = port
    if (port.share !== undefined) this.share = port.share
    this.#armed = false
    port.open(this.#credit.open(), this)
    port.suppress()
    this.ready()
  }

  /** The ring is gone. Packets that were dequeued from it stay valid; subscribers wait for the next ring. */
  detach(): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#kicks.reset(port)
    this.#kicked = false
    this.#tally.leave(port)
    port.close()
  }

  /** No ring will come any more: subscribers complete, and undelivered packets are dropped. */
  close(): void {
    if (this.#closed) return
    this.detach()
    this.#closed = true
    this.#delivery.complete()
    this.#stopWaiting()
    if (!this.#delivery.busy) {
      this.#dropUndelivered()
      this.#delivery.end()
    }
    this.#credit.close()
  }

  /** No subscriber is expected soon: drops undelivered packets and gives the reserve back to the pool. No-op while in use. */
  idle(): void {
    if (this.#started || this.#port !== null || this.#closed || !this.#credit.isOpen) return
    this.#dropUndelivered()
    this.#delivery.end()
    this.#credit.idle()
  }

  // ---- Subscribers come and go.

  /** Emits bursts to `target`, from a later turn on, until it is removed. */
  addBursts(target: Target<Burst>): void {
    if (this.#closed) target.complete()
    if (target.closed) return
    this.#delivery.addBursts(target)
    this.#start()
  }

  /** Emits the same packets to `target` one by one. */
  addPackets(target: Target<Packet>): void {
    if (this.#closed) target.complete()
    if (target.closed) return
    this.#delivery.addPackets(target)
    this.#start()
  }

  /** Emits nothing to `target` any more. */
  remove(target: Target<Burst> | Target<Packet>): void {
    this.#delivery.remove(target)
    if (this.#started && !this.#delivery.wanted) this.#stop()
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#epoch++
    this.#options.onStart?.()
    this.ready()
  }

  #stop(): void {
    this.#started = false
    this.#epoch++
    this.#stopWaiting()
    this.#options.onStop?.()
  }

  #stopWaiting(): void {
    this.#armed = false
    this.#kicked = false
    this.#spinning = false
    this.#port?.suppress()
    this.#credit.stopWatching()
  }

  // ---- Plain calls and statistics.

  /**
   * Plain call: dequeues up to `max` packets into `core`, which owns them then.
   *
   * @throws VhostError `ERR_VHOST_QUEUE_IN_USE` while someone is subscribed, `ERR_VHOST_DEVICE_GONE` once closed.
   */
  take(core: BurstCore, max: number): void {
    if (this.#started || this.#delivery.busy)
      throw new VhostError('ERR_VHOST_QUEUE_IN_USE', 'someone is subscribed to this queue', {
        fix: 'unsubscribe before dequeueBurst(), or use the subscription',
      })
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    const most = Math.min(max, core.ids.length, MAX_BURST)
    if (this.#delivery.undelivered > 0) this.#delivery.moveTo(core, most)
    else this.#dequeue(core, most)
  }

  /** The pool, which makes the bursts of plain calls. */
  get slots(): Pool {
    return this.#plane.pool
  }

  /** Packets under lease, undelivered ones included. */
  get held(): number {
    return this.#credit.held
  }

  /** Packets of an interrupted burst that no subscriber was given yet. */
  get unseen(): number {
    return this.#delivery.busy ? 0 : this.#delivery.undelivered
  }

  /** All that was counted, over all rings that this queue followed. */
  totals(): Totals {
    const totals = this.#tally.totals(this.#port, this.held)
    const { failed } = this.#delivery
    if (failed > 0) mergeDrops(totals.drops, { 'pipeline-error': failed })
    return totals
  }

  // ---- What wakes the queue.

  kick(): void {
    this.#tally.kicks++
    if (this.#started && !this.#kicked) this.#tally.latency.begin(this.#plane.scheduler.clock)
    this.#kicked ||= this.#started
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.#port) && this.#started) this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#armed = false
    this.ready()
  }

  /** There may be something to do. */
  ready(): void {
    this.#credit.endWait()
    if (this.#started) this.#plane.scheduler.ready(this)
  }

  stalled(stalled: Stalled): void {
    this.#options.onStalled?.(stalled)
    this.#owner?.stalled(stalled, this.#pair)
  }

  // ---- A visit.

  serve(): Visit {
    if (!this.#started) return LEAVE
    if (this.#armed) {
      this.#armed = false
      this.#port?.suppress()
    }
    const visit = this.#drain(this.#delivery.begin())
    this.#delivery.end()
    return visit
  }

  #drain(core: BurstCore): Visit {
    const epoch = this.#epoch
    do {
      if (core.length === 0) {
        const result = this.#dequeue(core, Math.min(this.#burst, this.deficit))
        if (core.length === 0) return this.#foundNothing(result)
      }
      this.deficit -= core.length
      this.#delivery.deliver(core)
      if (this.#closed) this.#dropUndelivered()
      // A subscriber that came during the delivery starts in a later turn.
      if (this.#epoch !== epoch || !this.#started) return LEAVE
    } while (this.deficit > 0 && !this.#plane.scheduler.expired())
    return MORE_NOW
  }

  /** Dequeues up to `max` packets into `core`, which is empty; returns result bits. */
  #dequeue(core: BurstCore, max: number): number {
    const port = this.#port
    core.length = 0
    if (port === null) return STOPPED
    if (this.#kicked) this.#tally.latency.end(this.#plane.scheduler.clock)
    this.#kicked = false
    const { ids, at } = core
    const to = at === PRIVATE ? 0 : at
    // The native call spins on the empty ring while no other task waits: it reads the ring less often than a loop of calls
    // would, which leaves the ring's cache lines to the guest.
    const result =
      this.#spinning && this.#plane.scheduler.alone ? port.spinDequeue(max, to) : port.dequeue(max, to)
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

  /** #dequeue() found no packet and returned `result`: how to wait for the next. */
  #foundNothing(result: number): Visit {
    const { scheduler } = this.#plane
    const port = this.#port
    if (port === null) return LEAVE
    if (result & (CREDIT | NO_SLOT)) {
      this.#tally.stalls++
      this.#credit.wait(result)
      return LEAVE
    }
    if (result & MORE) {
      // All packets of the burst were malformed. They count against the deficit, since they cost as much as others.
      this.deficit -= this.#burst
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

  #dropUndelivered(): void {
    const length = this.#delivery.drop()
    if (length > 0) this.#tally.drop('gone', length)
  }
}
