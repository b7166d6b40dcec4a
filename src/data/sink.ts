// The way into a to-guest ring. It takes what the ring has room for, keeps the rest in one FIFO (kept.ts), arms the
// ring's kick and goes on when the guest posts buffers. What it keeps belongs to it and survives an unsubscription. It
// follows rings as source.ts does. It knows no device and no rxjs.
//
// Waiting. Only a *running* ring without room is waited for; one that is stopped, disabled or gone drops,
//   unless the sink was made with whileAbsent: 'block'.
//
// Over budget: one state machine, whose parts would have to know each other's fields.
import { Burst, coreOf, type HeldBurst, PRIVATE } from '../burst.js'
import { VhostError } from '../errors.js'
import { type Packet, slotOf } from '../packet.js'
import type { DropReason, Overflow, PacketSink } from '../sink.js'
import { counterAt, mergeRingDrops, newCounters } from './counters.js'
import { KeptPackets } from './kept.js'
import { KickGuard, nodeTimers } from './kick-guard.js'
import { LATENCY_BUCKETS, LatencyRecorder } from './latency.js'
import type { DataPlane } from './plane.js'
import { MAX_BURST } from './pool-arrays.js'
import { COUNT, FAULT, type PortEvents, type QueuePort, STOPPED } from './port.js'
import { LATER, LEAVE, MORE_NOW, type Task, type Visit } from './scheduler.js'
import type { Totals } from './totals.js'
import type { Flushable } from './turn.js'

/** Packets that a sink keeps for `drop-newest`, `drop-oldest` and `strict`, unless asked otherwise. */
export const KEEP_PACKETS = 256

/**
 * A guest may have posted buffers, but fewer than the next packet needs. It is asked this often in a row at once, then
 * every RETRY_MS: it owes us no kick for buffers that it posted before.
 */
const RETRIES = 8
const RETRY_MS = 1
const MOVED_AT_ONCE = 256

const KICKS = counterAt('kicks')
const STALLS = counterAt('stalls')

export interface SinkOptions {
  /** For `source.subscribe(sink)`; operators have their own. Default `block`. */
  overflow?: Overflow
  /** Packets kept for a ring without room. Not for `block`, which its sources' credit bounds. */
  highWaterMark?: number
  /** While there is no device, or its ring does not run: drop, or keep by `overflow`. Default `drop`. */
  whileAbsent?: 'drop' | 'block'
  /** The first pipeline into the sink started. */
  onStart?: () => void
  /** The last one ended. */
  onStop?: () => void
}

export class SinkQueue implements Task, PortEvents, Flushable, PacketSink {
  queued = false
  deficit = 0
  readonly #plane: DataPlane
  readonly #options: SinkOptions
  readonly #kept: KeptPackets
  readonly #kicks: KickGuard
  readonly #drops: Record<string, number> = {}
  /** The queue's own, and those of rings that it followed before. */
  readonly #counters = newCounters()
  readonly #enqueueToCall = new LatencyRecorder()
  readonly #one = new Uint32Array(1)
  #port: QueuePort | null = null
  #users = 0
  #closed = false
  /** The ring had no room, and its kick is armed; or it does not run, and `state` will tell. */
  #waiting = false
  /** Packets came one by one, and the turn will flush them. */
  #gathering = false
  /** Flushes in a row that moved nothing although there were buffers. */
  #fruitless = 0

  constructor(plane: DataPlane, options: SinkOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#kept = new KeptPackets(plane.pool, options.highWaterMark ?? KEEP_PACKETS)
    this.#kicks = new KickGuard(() => this.#plane.scheduler.ready(this), plane.timers)
  }

  /** Fills this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#port = port
    port.open(0, this)
    port.suppress()
    this.state()
  }

  /** The ring is gone: what was kept for it is dropped for `reason`, unless `whileAbsent` is `block`. */
  detach(reason: DropReason = 'no-device'): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#waiting = false
    this.#kicks.reset(port)
    port.count(this.#counters)
    port.close()
    if (this.#options.whileAbsent !== 'block') this.#dropKept(reason)
  }

  /** No ring will come any more; later packets are dropped as `gone`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.detach('gone')
    this.#dropKept('gone')
  }

  get available(): boolean {
    return !this.#closed && (this.#port?.running === true || this.#options.whileAbsent === 'block')
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
      throw new VhostError('ERR_VHOST_OVERFLOW', 'the ring has no room, and this sink was asked to be strict')
  }

  accept(item: Burst | Packet, overflow: Overflow): boolean {
    if (item instanceof Burst) {
      const { ids, length, at } = coreOf(item)
      return this.acceptSlots(ids, length, overflow, at)
    }
    this.#one[0] = slotOf(item)
    if (this.#port?.running !== true) return this.acceptSlots(this.#one, 1, overflow)
    const kept = this.#keep(this.#one, 0, 1, overflow)
    if (!this.#gathering && !this.#waiting) {
      this.#gathering = true
      this.#plane.turn.atEnd(this)
    }
    return kept
  }

  /** Plain call: how many packets of the burst, from number `from` on, the ring took. Keeps nothing. */
  enqueue(burst: Burst | HeldBurst, from: number): number {
    const { ids, length, at } = coreOf(burst as Burst)
    if (!(from >= 0 && from <= length)) throw new RangeError(`from must be 0 to ${length}`)
    return this.put(ids, from, length, at)
  }

  /** Plain call: how many of the slots from index `from` on, before `to`, the ring took. `at`: as in a burst's core. */
  put(ids: Uint32Array, from: number, to: number, at = PRIVATE): number {
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    if (this.#port === null || this.#kept.length > 0) return 0
    return this.#push(this.#port, ids, at, from, to) & COUNT
  }

  whenDrained(done: () => void): () => void {
    return this.#kept.whenGone(done)
  }

  /** Hands on what is kept, oldest first: its ring has stopped, and others of its guest run. */
  moveKept(take: (ids: Uint32Array, count: number) => void): void {
    const ids = new Uint32Array(MOVED_AT_ONCE)
    while (this.#kept.length > 0) {
      const count = this.#kept.peek(ids)
      take(ids, count)
      this.#kept.letGo(count)
    }
  }

  /** Packets kept for the ring. */
  get kept(): number {
    return this.#kept.length
  }

  /** All that was counted, with all rings that this queue followed. */
  totals(): Totals {
    const counters = this.#counters.slice()
    this.#port?.count(counters)
    const drops = { ...this.#drops }
    mergeRingDrops(drops, counters)
    const latencies = this.#enqueueToCall.counts?.slice() ?? new Float64Array(LATENCY_BUCKETS)
    return { counters, drops, held: this.kept, latencies }
  }

  kick(): void {
    this.#counters[KICKS]++
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.#port)) this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#waiting = false
    if (this.#kept.length > 0) this.#plane.scheduler.ready(this)
  }

  /** The end of a turn in which single packets came. */
  flush(): void {
    this.#gathering = false
    while (this.#kept.length > 0 && !this.#waiting && this.#flushSome() > 0);
  }

  serve(): Visit {
    if (this.#waiting) this.#port?.suppress()
    this.#waiting = false
    while (this.#kept.length > 0) {
      const moved = this.#flushSome()
      if (this.#waiting || this.#port === null) return LEAVE
      if (moved === 0) return LATER
      this.deficit -= moved
      if (this.deficit <= 0 || this.#plane.scheduler.expired()) return MORE_NOW
    }
    return LEAVE
  }

  /** The first `length` of the slots, as a burst. `at`: as in a burst's core. */
  acceptSlots(ids: Uint32Array, length: number, overflow: Overflow, at = PRIVATE): boolean {
    const port = this.#port
    if (this.#closed) return this.#drop('gone', length)
    if (port === null || !port.running) {
      if (this.#options.whileAbsent === 'block') return this.#keep(ids, 0, length, overflow)
      return this.#drop(port === null ? 'no-device' : 'not-ready', length)
    }
    if (this.#kept.length > 0 && !this.#waiting) this.flush()
    if (this.#kept.length > 0) return this.#keep(ids, 0, length, overflow)
    let taken = 0
    let result = 0
    // One native call, unless an operator made a burst that is larger than any that a queue gives out.
    do {
      result = this.#push(port, ids, at, taken, length)
      taken += result & COUNT
    } while (taken < length && (result & COUNT) === MAX_BURST)
    if (taken === length) return true
    if (result & (STOPPED | FAULT)) return this.#drop('not-ready', length - taken)
    const kept = this.#keep(ids, taken, length, overflow)
    this.#wait(port)
    return kept
  }

  // Moves packets that nobody waits behind into the ring, as many as one call can; result bits.
  #push(port: QueuePort, ids: Uint32Array, at: number, from: number, length: number): number {
    if (at !== PRIVATE) return this.#enqueue(port, length - from, at + from)
    const count = Math.min(length - from, MAX_BURST)
    const { exchange } = port
    for (let i = 0; i < count; i++) exchange[i] = ids[from + i]
    return this.#enqueue(port, count, 0)
  }

  // One native call. `waited`: the packets were kept, the oldest first; what is not is there at once.
  #enqueue(port: QueuePort, count: number, at: number, waited = false): number {
    const before = port.notifications
    const result = port.enqueue(count, at)
    if (port.notifications !== before) {
      if (waited) this.#kept.record(this.#enqueueToCall, this.#plane.scheduler.clock)
      else this.#enqueueToCall.recordNone()
    }
    if ((result & COUNT) === 0) return result
    this.#kicks.worked()
    this.#fruitless = 0
    return result
  }

  // Keeps packets for a ring without room, as far as `overflow` lets it.
  #keep(ids: Uint32Array, from: number, to: number, overflow: Overflow): boolean {
    const kept = this.#kept
    // Of single packets that come in one turn, the first.
    if (this.#waiting || !this.#gathering) kept.comeAt(this.#plane.scheduler.clock)
    for (let i = from; i < to; i++) {
      // What was gathered in this turn may not have been tried yet.
      if (overflow !== 'block' && !kept.hasRoom && this.#gathering) this.flush()
      if (overflow === 'block' || kept.hasRoom) {
        kept.push(ids[i], overflow)
      } else if (overflow === 'strict') {
        this.#drop('overflow', to - i)
        return false
      } else {
        this.#drop('overflow', 1)
        if (overflow === 'drop-oldest' && kept.dropOldest()) kept.push(ids[i], overflow)
      }
    }
    return true
  }

  // One native call for the oldest packets that are kept; how many left.
  #flushSome(): number {
    const port = this.#port
    if (port === null || !port.running) return this.#notRunning()
    const count = this.#kept.peek(port.exchange)
    const result = this.#enqueue(port, count, 0, true)
    const taken = result & COUNT
    this.#kept.letGo(taken)
    if (result & (STOPPED | FAULT)) return taken + this.#notRunning()
    if (taken < count) this.#wait(port)
    return taken
  }

  // What was kept for a ring that does not run is dropped, or waits until it runs.
  #notRunning(): number {
    const count = this.#kept.length
    this.#waiting = this.#options.whileAbsent === 'block'
    if (this.#waiting) return 0
    this.#dropKept('not-ready')
    return count
  }

  #wait(port: QueuePort): void {
    const { scheduler, timers = nodeTimers } = this.#plane
    if (!this.#waiting) this.#counters[STALLS]++
    this.#waiting = true
    if (!port.arm()) return
    if (++this.#fruitless <= RETRIES) scheduler.ready(this)
    else timers.set(() => scheduler.ready(this), RETRY_MS)
  }

  #dropKept(reason: DropReason): void {
    this.#drop(reason, this.#kept.length)
    this.#kept.letGo(this.#kept.length)
  }

  #drop(reason: DropReason, count: number): true {
    if (count > 0) this.#drops[reason] = (this.#drops[reason] ?? 0) + count
    return true
  }
}
