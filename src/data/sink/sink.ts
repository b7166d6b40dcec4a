// A to-guest queue: the way into a ring for bursts, single packets and plain calls. It fills the ring; packets that the
// ring has no room for go into its backlog (backlog.ts), as far as the overflow policy allows, and follow when the
// guest posts buffers. The backlog belongs to the sink and survives an unsubscription. The sink follows rings, which
// come and go with their devices.
//
// Waiting. The sink waits for a *running* ring without room. One that is stopped, disabled or gone drops packets,
// unless the
//   sink was made with whileAbsent: 'block'.

import { VhostError } from '../../errors.js'
import { Burst, type HeldBurst, PRIVATE } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import type { DropReason, Overflow, PacketSink, StationWatcher } from '../../packet/sink.js'
import { NO_SLOT, SLOT_OFFSET, SLOT_SHIFT } from '../../packet/slots.js'
import { Tally, type Totals } from '../counters/totals.js'
import type { DataPlane } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import { ownCore, ownSlot } from '../pool/own-pool.js'
import { KickGuard } from '../ring/kick-guard.js'
import { COUNT, FAULT, type PortEvents, type QueuePort, STOPPED } from '../ring/port.js'
import { LATER, LEAVE, MORE_NOW, Share, type Task, type Visit } from '../turn/task.js'
import { nodeTimers } from '../turn/timers.js'
import type { Flushable } from '../turn/turn.js'
import { Backlog } from './backlog.js'

/** Packets in the backlog for `drop-newest`, `drop-oldest` and `strict`, unless asked otherwise. */
export const BACKLOG_PACKETS = 256
/** Packets that moveBacklog() hands on in one call. */
const MOVED_AT_ONCE = 256
/**
 * A guest may have posted buffers, but fewer than the next packet needs, and then it owes us no kick for those. The
 * sink tries again at once, up to RETRIES times in a row, and then every RETRY_MS milliseconds.
 */
const RETRIES = 8
const RETRY_MS = 1
/**
 * Descriptors per packet that cost nothing extra: more than a frame of 64 KiB needs if each page has one. A guest whose
 * receive buffers have more descriptors pays for the extra time, so that a pipeline into it does not slow down other
 * guests.
 */
const FREE_DESCRIPTORS = 64
/** Milliseconds for each further descriptor: the time to read it, and to write a byte to its buffer. */
const DESCRIPTOR_MS = 1e-5

export interface SinkOptions {
  /** For `source.subscribe(sink)`; operators have their own. Default `block`. */
  overflow?: Overflow
  /** Packets in the backlog for a ring without room. Not for `block`, which the credit of its sources bounds. */
  highWaterMark?: number
  /** While there is no device, or its ring does not run: drop packets, or queue them by `overflow`. Default `drop`. */
  whileAbsent?: 'drop' | 'block'
  /** The first pipeline into the sink started. */
  onStart?: () => void
  /** The last one ended. */
  onStop?: () => void
}

/** Throws a RangeError unless packet number `from` exists, or is the end of the burst. */
export function checkFrom(from: number, length: number): void {
  if (!(Number.isInteger(from) && from >= 0 && from <= length))
    throw new RangeError(`from must be a whole number from 0 to ${length}, not ${from}`)
}

export class SinkQueue implements Task, PortEvents, Flushable, PacketSink {
  // Task: the scheduler's.
  queued = false
  deficit = 0
  share = new Share()

  readonly #plane: DataPlane
  readonly #options: SinkOptions
  /** While no ring runs, the backlog stays. */
  readonly #waitsWhileAbsent: boolean
  readonly #backlog: Backlog
  readonly #kicks: KickGuard
  /** Its latency is the time from a packet's arrival to the call that notifies the guest of it. */
  readonly #tally = new Tally()

  #port: QueuePort | null = null
  #closed = false
  /** Pipelines that use the sink. */
  #users = 0
  /** Single packets arrived, and the turn will call flush(). */
  #gathering = false
  /** The ring had no room, and its kick is armed; or it does not run, and state() will be called when it does. */
  #waiting = false
  /** Flushes in a row that moved nothing although the guest had posted buffers. */
  #fruitless = 0
  /** Replaced, never altered. */
  #watchers: readonly StationWatcher[] = []
  /** True during a visit, for whose time the device pays anyway. */
  #serving = false

  constructor(plane: DataPlane, options: SinkOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#waitsWhileAbsent = options.whileAbsent === 'block'
    this.#backlog = new Backlog(plane.pool, options.highWaterMark ?? BACKLOG_PACKETS)
    this.#kicks = new KickGuard(this, plane.timers)
  }

  // ---- Rings come and go.

  /** Fills this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#port = port
    if (port.share !== undefined) this.share = port.share
    port.open(0, this)
    port.suppress()
    this.state()
  }

  /** The ring is gone: the backlog is dropped for `reason`, unless `whileAbsent` is `block`. */
  detach(reason: DropReason = 'no-device'): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#waiting = false
    this.#kicks.reset(port)
    this.#tally.leave(port)
    port.close()
    if (!this.#waitsWhileAbsent) this.#dropBacklog(reason)
    for (const watcher of this.#watchers) watcher.gone()
  }

  watch(watcher: StationWatcher): () => void {
    this.#watchers = [...this.#watchers, watcher]
    return () => {
      this.#watchers = this.#watchers.filter(other => other !== watcher)
    }
  }

  /** The front end reports that the guest with this address has moved here. */
  moved(mac: string): void {
    for (const watcher of this.#watchers) watcher.moved(mac)
  }

  /** No ring will come any more: the backlog and all later packets are dropped as `gone`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.detach('gone')
    this.#dropBacklog('gone')
  }

  /** Passes on the backlog, oldest packets first: its ring has stopped, and other rings of the guest run. */
  moveBacklog(take: (ids: Uint32Array, count: number) => void): void {
    const ids = new Uint32Array(MOVED_AT_ONCE)
    while (this.#backlog.length > 0) {
      const count = this.#backlog.peek(ids)
      take(ids, count)
      this.#backlog.release(count)
    }
  }

  /** All that was counted, over all rings that this queue followed. */
  totals(): Totals {
    return this.#tally.totals(this.#port, this.#backlog.length)
  }

  // ---- Packets arrive.

  get available(): boolean {
    return !this.#closed && (this.#port?.running === true || this.#waitsWhileAbsent)
  }

  use(): () => void {
    if (this.#users++ === 0) this.#options.onStart?.()
    let used = true
    return () => {
      if (!used) return
      used = false
      if (--this.#users === 0) this.#options.onStop?.()
    }
  }

  next(item: Burst | Packet): void {
    if (!this.accept(item, this.#options.overflow ?? 'block'))
      throw new VhostError('ERR_VHOST_OVERFLOW', "the ring is full and the overflow policy is 'strict'")
  }

  accept(item: Burst | Packet, overflow: Overflow): boolean {
    if (item instanceof Burst) {
      const { ids, length, at } = ownCore(this.#plane.pool, item)
      return this.acceptSlots(ids, length, overflow, at)
    }
    const slot = ownSlot(this.#plane.pool, item)
    const reason = this.#refusal
    if (reason !== undefined) return this.#drop(reason, 1)
    this.#noteArrival()
    const queued = this.#queue(slot, overflow)
    if (!this.#gathering && !this.#waiting && this.#port?.running === true) {
      this.#gathering = true
      this.#plane.turn.atEnd(this)
    }
    return queued
  }

  /** Accepts the first `length` of the slots, as a burst. `at`: as in a burst's core. */
  acceptSlots(ids: Uint32Array, length: number, overflow: Overflow, at = PRIVATE): boolean {
    const port = this.#port
    const reason = this.#refusal
    if (reason !== undefined) return this.#drop(reason, length)
    if (port === null || !port.running) return this.#queueAll(ids, 0, length, overflow)
    if (this.#backlog.length > 0 && !this.#waiting) this.flush()
    if (this.#backlog.length > 0 || this.#mustPay()) return this.#queueAll(ids, 0, length, overflow)
    let taken = 0
    let result = 0
    // One native call, unless an operator made a burst that is larger than any that a queue emits.
    do {
      result = this.#push(port, ids, at, taken, length)
      taken += result & COUNT
    } while (taken < length && (result & COUNT) === MAX_BURST)
    if (taken === length) return true
    if (result & (STOPPED | FAULT)) return this.#drop('not-ready', length - taken)
    const queued = this.#queueAll(ids, taken, length, overflow)
    this.#wait(port)
    return queued
  }

  sendFrame(frame: Uint8Array): void {
    const { pool } = this.#plane
    const slot = pool.alloc(frame.length)
    if (slot === NO_SLOT) {
      this.#drop('no-slot', 1)
      return
    }
    pool.bytes.set(frame, pool.meta[(slot << SLOT_SHIFT) + SLOT_OFFSET])
    this.acceptSlots(Uint32Array.of(slot), 1, 'drop-newest')
    pool.release(slot)
  }

  /** Plain call: returns how many packets of the burst, from number `from` on, the ring took. Queues none. */
  enqueue(burst: Burst | HeldBurst, from: number): number {
    const { ids, length, at } = ownCore(this.#plane.pool, burst)
    checkFrom(from, length)
    return this.put(ids, from, length, at)
  }

  /**
   * Plain call: returns how many of the slots from index `from` on, before `to`, the ring took. `at`: as in a burst's
   * core.
   */
  put(ids: Uint32Array, from: number, to: number, at = PRIVATE): number {
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    if (this.#port === null || this.#backlog.length > 0) return 0
    return this.#push(this.#port, ids, at, from, to) & COUNT
  }

  whenDrained(done: () => void): () => void {
    return this.#backlog.whenDrained(done)
  }

  /** Why all packets are dropped now; undefined if they are not. */
  get #refusal(): DropReason | undefined {
    if (this.#closed) return 'gone'
    if (this.#port?.running === true || this.#waitsWhileAbsent) return undefined
    return this.#port === null ? 'no-device' : 'not-ready'
  }

  // Single packets that arrive in one turn have the arrival time of the first.
  #noteArrival(): void {
    if (this.#waiting || !this.#gathering) this.#backlog.arriveAt(this.#plane.scheduler.clock)
  }

  #queueAll(ids: Uint32Array, from: number, to: number, overflow: Overflow): boolean {
    this.#noteArrival()
    for (let i = from; i < to; i++) {
      if (this.#queue(ids[i], overflow)) continue
      this.#drop('overflow', to - i - 1)
      return false
    }
    return true
  }

  /** Adds a packet to the backlog, as far as `overflow` allows; false: it did not fit, and `overflow` is `strict`. */
  #queue(slot: number, overflow: Overflow): boolean {
    const backlog = this.#backlog
    // The ring may have room for the packets that were gathered in this turn.
    if (overflow !== 'block' && !backlog.hasRoom && this.#gathering) this.flush()
    if (overflow === 'block' || backlog.hasRoom) {
      backlog.push(slot, overflow)
      return true
    }
    this.#drop('overflow', 1)
    if (overflow === 'drop-oldest' && backlog.dropOldest()) backlog.push(slot, overflow)
    return overflow !== 'strict'
  }

  // ---- What wakes the sink.

  kick(): void {
    this.#tally.kicks++
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.#port)) this.#plane.scheduler.ready(this)
  }

  /** There may be something to do. */
  ready(): void {
    this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#waiting = false
    if (this.#backlog.length > 0) this.#plane.scheduler.ready(this)
  }

  // ---- Packets leave.

  /** A visit: moves the backlog into the ring. */
  serve(): Visit {
    if (this.share.mustPay) {
      this.share.pay()
      return MORE_NOW
    }
    this.#serving = true
    const visit = this.#moveSome()
    this.#serving = false
    return visit
  }

  #moveSome(): Visit {
    if (this.#waiting) this.#port?.suppress()
    this.#waiting = false
    while (this.#backlog.length > 0) {
      const moved = this.#flushSome()
      if (this.#waiting || this.#port === null) return LEAVE
      if (moved === 0) return LATER
      this.deficit -= moved
      if (this.deficit <= 0 || this.#plane.scheduler.expired()) return MORE_NOW
    }
    return LEAVE
  }

  /** The end of a turn in which single packets arrived: moves the backlog into the ring until the ring has no room. */
  flush(): void {
    this.#gathering = false
    while (this.#backlog.length > 0 && !this.#waiting && !this.#mustPay() && this.#flushSome() > 0);
  }

  /** Moves the oldest packets of the backlog into the ring by one native call; returns how many left the backlog. */
  #flushSome(): number {
    const port = this.#port
    if (port === null || !port.running) return this.#notRunning()
    const count = this.#backlog.peek(port.exchange)
    const result = this.#call(port, count, 0, true)
    const taken = result & COUNT
    this.#backlog.release(taken)
    if (result & (STOPPED | FAULT)) return taken + this.#notRunning()
    if (taken < count) this.#wait(port)
    return taken
  }

  /** Moves packets past an empty backlog into the ring, as many as one native call can; returns result bits. */
  #push(port: QueuePort, ids: Uint32Array, at: number, from: number, length: number): number {
    if (at !== PRIVATE) return this.#call(port, length - from, at + from)
    const count = Math.min(length - from, MAX_BURST)
    const { exchange } = port
    for (let i = 0; i < count; i++) exchange[i] = ids[from + i]
    return this.#call(port, count, 0)
  }

  /** The native call. `fromBacklog`: the packets are the oldest of the backlog; others have waited for no time. */
  #call(port: QueuePort, count: number, at: number, fromBacklog = false): number {
    const { notifications, walked } = port
    const result = port.enqueue(count, at)
    if (port.walked !== walked && !this.#serving) this.#walked(port.walked - walked, result & COUNT)
    if (port.notifications !== notifications) {
      if (fromBacklog) this.#backlog.record(this.#tally.latency, this.#plane.scheduler.clock)
      else this.#tally.latency.recordNone()
    }
    if ((result & COUNT) === 0) return result
    this.#kicks.worked()
    this.#fruitless = 0
    return result
  }

  /** In a visit of another device, `packets` packets were written to chains with `descriptors` descriptors in all. */
  #walked(descriptors: number, packets: number): void {
    const extra = (descriptors >>> 0) - packets * FREE_DESCRIPTORS
    if (extra > 0) this.#plane.scheduler.workedFor(this.share, extra * DESCRIPTOR_MS)
  }

  /** Returns true if the device must pay before its ring gets more packets, and then asks for a visit. */
  #mustPay(): boolean {
    if (!this.share.mustPay) return false
    this.#plane.scheduler.ready(this)
    return true
  }

  /** The ring has no room: waits for the guest's kick. */
  #wait(port: QueuePort): void {
    const { scheduler, timers = nodeTimers } = this.#plane
    if (!this.#waiting) this.#tally.stalls++
    this.#waiting = true
    if (!port.arm()) return
    if (++this.#fruitless <= RETRIES) scheduler.ready(this)
    else timers.set(() => scheduler.ready(this), RETRY_MS)
  }

  /** The ring does not run: the backlog waits until it does, or is dropped; returns how many packets were dropped. */
  #notRunning(): number {
    const count = this.#backlog.length
    this.#waiting = this.#waitsWhileAbsent
    if (this.#waiting) return 0
    this.#dropBacklog('not-ready')
    return count
  }

  #dropBacklog(reason: DropReason): void {
    this.#drop(reason, this.#backlog.length)
    this.#backlog.release(this.#backlog.length)
  }

  /** Counts drops. True, for callers that accept the packets by dropping them. */
  #drop(reason: DropReason, count: number): true {
    if (count > 0) this.#tally.drop(reason, count)
    return true
  }
}
