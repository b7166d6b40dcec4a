// The way into a to-guest ring. It takes what the ring has room for, keeps the rest in one FIFO by retaining the slots,
// arms the ring's kick and goes on when the guest posts buffers. What it keeps belongs to it and survives an
// unsubscription. It follows rings as source.ts does. It knows no device and no rxjs.
//
// Who pays. What `block` keeps stays charged to its source, whose credit so runs out: a full ring stalls its source.
//   What a lossy overflow keeps is charged to the sink's own account, so that it never slows its source.
// Waiting. Only a *running* ring without room is waited for; one that is stopped, disabled or gone drops (DESIGN §5.6),
//   unless the sink was made with whileAbsent: 'block'.
import { Burst, coreOf, type HeldBurst } from '../burst.js'
import { VhostError } from '../errors.js'
import { type Packet, SLOT_LENGTH, SLOT_WORDS, slotOf } from '../packet.js'
import type { DropReason, Overflow, PacketSink } from '../sink.js'
import { mergeDrops } from './counters.js'
import { SlotFifo } from './fifo.js'
import { KickGuard } from './kick-guard.js'
import { COUNT, DROP_SHIFT, FAULT, type PortEvents, type QueuePort, STOPPED } from './port.js'
import { LATER, LEAVE, MORE_NOW, type Task, type Visit } from './scheduler.js'
import type { DataPlane } from './source.js'
import type { Flushable } from './turn.js'

/** Packets that a sink keeps for `drop-newest`, `drop-oldest` and `strict`, unless asked otherwise. */
export const KEEP_PACKETS = 256

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
  packets = 0
  bytes = 0
  readonly #plane: DataPlane
  readonly #options: SinkOptions
  readonly #limit: number
  readonly #account: number
  readonly #fifo = new SlotFifo()
  readonly #kicks: KickGuard
  readonly #drops: Record<DropReason, number> = {
    'pipeline-error': 0,
    overflow: 0,
    'not-ready': 0,
    gone: 0,
    'no-device': 0,
  }
  readonly #nativeBefore: Record<string, number> = {}
  readonly #one = new Uint32Array(1)
  #port: QueuePort | null = null
  #users = 0
  #closed = false
  /** The ring had no room; its kick is armed. */
  #full = false
  /** Asked the turn for a flush. */
  #gathering = false
  /** Packets that ever left the FIFO, and who waits for that count. */
  #gone = 0
  #waiting: { until: number; done: () => void }[] = []

  constructor(plane: DataPlane, options: SinkOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#limit = options.highWaterMark ?? KEEP_PACKETS
    this.#account = plane.pool.accounts.open({ packets: 0xffffffff, bytes: 0xffffffff })
    this.#kicks = new KickGuard(() => this.#plane.scheduler.ready(this), plane.timers)
  }

  /** Fills this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#port = port
    this.#full = false
    port.open(this.#account, this)
    port.suppress()
    if (this.#fifo.length > 0) this.#plane.scheduler.ready(this)
  }

  /** The ring is gone: what was kept for it is dropped for `reason`, unless `whileAbsent` is `block`. */
  detach(reason: DropReason = 'no-device'): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#full = false
    this.#kicks.reset(port)
    mergeDrops(this.#nativeBefore, port.drops())
    port.close()
    if (this.#options.whileAbsent !== 'block') this.#dropKept(reason)
  }

  /** No ring will come any more; later packets are dropped as `gone`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.detach('gone')
    this.#dropKept('gone')
    this.#plane.pool.accounts.close(this.#account)
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
    if (this.accept(item, this.#options.overflow ?? 'block')) return
    throw new VhostError('ERR_VHOST_OVERFLOW', 'the ring has no room, and this sink was asked to be strict')
  }

  accept(item: Burst | Packet, overflow: Overflow): boolean {
    if (item instanceof Burst) {
      const { ids, length } = coreOf(item)
      return this.#accept(ids, length, overflow)
    }
    this.#one[0] = slotOf(item)
    if (!this.#ready()) return this.#accept(this.#one, 1, overflow)
    const kept = this.#keep(this.#one, 0, 1, overflow)
    if (kept && !this.#gathering && !this.#full) {
      this.#gathering = true
      this.#plane.turn.atEnd(this)
    }
    return kept
  }

  /** Plain call: how many of the burst, from its first packet on, the ring took. Keeps nothing. */
  enqueue(burst: Burst | HeldBurst): number {
    const { ids, length } = coreOf(burst)
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    if (this.#port === null || this.#fifo.length > 0) return 0
    return this.#push(ids, length) & COUNT
  }

  whenDrained(done: () => void): () => void {
    if (this.#fifo.length === 0) {
      done()
      return () => {}
    }
    const wait = { until: this.#gone + this.#fifo.length, done }
    this.#waiting.push(wait)
    return () => {
      this.#waiting = this.#waiting.filter(other => other !== wait)
    }
  }

  /** Packets kept for the ring. */
  get kept(): number {
    return this.#fifo.length
  }

  /** Drops by reason, those of the ring among them. */
  drops(): Record<string, number> {
    const drops: Record<string, number> = { ...this.#nativeBefore }
    mergeDrops(drops, this.#drops)
    if (this.#port !== null) mergeDrops(drops, this.#port.drops())
    return drops
  }

  kick(): void {
    if (this.#kicks.kicked(this.#port)) this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#full = false
    if (this.#fifo.length > 0) this.#plane.scheduler.ready(this)
  }

  /** The end of a turn in which single packets came. */
  flush(): void {
    this.#gathering = false
    while (this.#fifo.length > 0 && !this.#full && this.#flushSome() > 0) continue
  }

  serve(): Visit {
    if (this.#full) this.#port?.suppress()
    this.#full = false
    while (this.#fifo.length > 0) {
      const moved = this.#flushSome()
      if (this.#full || this.#port === null) return LEAVE
      if (moved === 0) return this.#fifo.length > 0 ? LATER : LEAVE
      this.deficit -= moved
      if (this.deficit <= 0 || this.#plane.scheduler.expired()) return MORE_NOW
    }
    return LEAVE
  }

  #ready(): boolean {
    return this.#port?.running === true
  }

  #accept(ids: Uint32Array, length: number, overflow: Overflow): boolean {
    if (this.#closed) return this.#refuse('gone', length)
    if (!this.#ready()) {
      if (this.#options.whileAbsent === 'block') return this.#keep(ids, 0, length, overflow)
      return this.#refuse(this.#port === null ? 'no-device' : 'not-ready', length)
    }
    if (this.#fifo.length > 0 && !this.#full) this.flush()
    if (this.#fifo.length > 0) return this.#keep(ids, 0, length, overflow)
    const result = this.#push(ids, length)
    const taken = result & COUNT
    if (taken === length) return true
    if (result & (STOPPED | FAULT)) return this.#refuse('not-ready', length - taken)
    const kept = this.#keep(ids, taken, length, overflow)
    this.#wait()
    return kept
  }

  #refuse(reason: DropReason, count: number): boolean {
    this.#drops[reason] += count
    return true
  }

  // Moves packets that nobody waits behind into the ring; result bits.
  #push(ids: Uint32Array, length: number): number {
    const port = this.#port as QueuePort
    const { exchange } = port
    for (let i = 0; i < length; i++) exchange[i] = ids[i]
    const result = port.enqueue(length)
    this.#count(ids, result)
    return result
  }

  // Bytes count what was taken; the few that the ring dropped itself are told apart by `drops`.
  #count(ids: Uint32Array, result: number): void {
    const taken = result & COUNT
    if (taken === 0) return
    const { meta } = this.#plane.pool
    let bytes = 0
    for (let i = 0; i < taken; i++) bytes += meta[ids[i] * SLOT_WORDS + SLOT_LENGTH]
    this.packets += taken - (result >>> DROP_SHIFT)
    this.bytes += bytes
    this.#kicks.worked()
  }

  // Keeps packets for a ring without room, as far as `overflow` lets it.
  #keep(ids: Uint32Array, from: number, to: number, overflow: Overflow): boolean {
    const { pool } = this.#plane
    const fifo = this.#fifo
    for (let i = from; i < to; i++) {
      if (overflow === 'block') {
        pool.retain(ids[i])
        fifo.push(ids[i], true)
        continue
      }
      if (fifo.length >= this.#limit && !this.#makeRoom(overflow)) {
        const lost = overflow === 'strict' ? to - i : 1
        this.#drops.overflow += lost
        if (overflow === 'strict') return false
        continue
      }
      pool.lend(ids[i], this.#account)
      fifo.push(ids[i], false)
    }
    return true
  }

  #makeRoom(overflow: Overflow): boolean {
    // What was gathered in this turn may not have been tried yet.
    if (this.#gathering && !this.#full) this.flush()
    if (this.#fifo.length < this.#limit) return true
    const oldest = overflow === 'drop-oldest' ? this.#fifo.takeOldestDroppable() : -1
    if (oldest < 0) return false
    this.#plane.pool.unlend(oldest, this.#account)
    this.#drops.overflow++
    this.#left(1)
    return true
  }

  // One native call for the oldest packets of the FIFO; how many left it.
  #flushSome(): number {
    const port = this.#port
    const fifo = this.#fifo
    if (port === null || !port.running) return this.#stopped()
    const { exchange } = port
    const count = Math.min(fifo.length, exchange.length)
    for (let i = 0; i < count; i++) exchange[i] = fifo.at(i)
    const result = port.enqueue(count)
    const taken = result & COUNT
    this.#count(exchange, result)
    this.#letGo(taken)
    if (result & (STOPPED | FAULT) && fifo.length > 0) return taken + this.#stopped()
    if (taken < count) this.#wait()
    return taken
  }

  // The ring does not run: what was kept for it is dropped, or waits for `state`.
  #stopped(): number {
    if (this.#options.whileAbsent === 'block') {
      this.#full = true
      return 0
    }
    const count = this.#fifo.length
    this.#dropKept('not-ready')
    return count
  }

  #wait(): void {
    this.#full = true
    if (this.#port?.arm()) this.#plane.scheduler.ready(this)
  }

  #dropKept(reason: DropReason): void {
    const count = this.#fifo.length
    this.#drops[reason] += count
    this.#letGo(count)
  }

  #letGo(count: number): void {
    const { pool } = this.#plane
    const fifo = this.#fifo
    for (let i = 0; i < count; i++) {
      if (fifo.isKept(i)) pool.release(fifo.at(i))
      else pool.unlend(fifo.at(i), this.#account)
    }
    fifo.drop(count)
    this.#left(count)
  }

  #left(count: number): void {
    this.#gone += count
    while (this.#waiting.length > 0 && this.#waiting[0].until <= this.#gone) this.#waiting.shift()?.done()
  }
}
