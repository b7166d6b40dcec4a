// The way into a to-guest ring: what bursts, single packets and plain calls are offered to it, and what becomes of those
// that the ring has no room for. Above ring.ts, which fills the ring, keeps and waits. It knows no device and no rxjs.

import { VhostError } from '../../errors.js'
import { Burst, type HeldBurst, PRIVATE } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import type { DropReason, Overflow, PacketSink } from '../../packet/sink.js'
import type { DataPlane } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import { ownCore, ownSlot } from '../pool/own-pool.js'
import { COUNT, FAULT, STOPPED } from '../ring/port.js'
import type { Flushable } from '../turn/turn.js'
import { SinkRing } from './ring.js'

/** Packets that a sink keeps for `drop-newest`, `drop-oldest` and `strict`, unless asked otherwise. */
export const KEEP_PACKETS = 256

const MOVED_AT_ONCE = 256

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

export class SinkQueue extends SinkRing implements Flushable, PacketSink {
  readonly #options: SinkOptions
  #users = 0
  /** Packets came one by one, and the turn will flush them. */
  #gathering = false

  constructor(plane: DataPlane, options: SinkOptions = {}) {
    super(plane, options.highWaterMark ?? KEEP_PACKETS, options.whileAbsent === 'block')
    this.#options = options
  }

  get available(): boolean {
    return !this.closed && (this.port?.running === true || this.waitsWhileAbsent)
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
      const { ids, length, at } = ownCore(this.plane.pool, item)
      return this.acceptSlots(ids, length, overflow, at)
    }
    const slot = ownSlot(this.plane.pool, item)
    const reason = this.#refusal
    if (reason !== undefined) return this.drop(reason, 1)
    this.#noteComing()
    const kept = this.#keep(slot, overflow)
    if (!this.#gathering && !this.waiting && this.port?.running === true) {
      this.#gathering = true
      this.plane.turn.atEnd(this)
    }
    return kept
  }

  /** Plain call: how many packets of the burst, from number `from` on, the ring took. Keeps nothing. */
  enqueue(burst: Burst | HeldBurst, from: number): number {
    const { ids, length, at } = ownCore(this.plane.pool, burst)
    if (!(from >= 0 && from <= length)) throw new RangeError(`from must be 0 to ${length}`)
    return this.put(ids, from, length, at)
  }

  /** Plain call: how many of the slots from index `from` on, before `to`, the ring took. `at`: as in a burst's core. */
  put(ids: Uint32Array, from: number, to: number, at = PRIVATE): number {
    if (this.closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    if (this.port === null || this.keptPackets.length > 0) return 0
    return this.push(this.port, ids, at, from, to) & COUNT
  }

  whenDrained(done: () => void): () => void {
    return this.keptPackets.whenGone(done)
  }

  /** Hands on what is kept, oldest first: its ring has stopped, and others of its guest run. */
  moveKept(take: (ids: Uint32Array, count: number) => void): void {
    const ids = new Uint32Array(MOVED_AT_ONCE)
    while (this.keptPackets.length > 0) {
      const count = this.keptPackets.peek(ids)
      take(ids, count)
      this.keptPackets.letGo(count)
    }
  }

  /** The end of a turn in which single packets came. */
  flush(): void {
    this.#gathering = false
    this.drain()
  }

  /** The first `length` of the slots, as a burst. `at`: as in a burst's core. */
  acceptSlots(ids: Uint32Array, length: number, overflow: Overflow, at = PRIVATE): boolean {
    const { port } = this
    const reason = this.#refusal
    if (reason !== undefined) return this.drop(reason, length)
    if (port === null || !port.running) return this.#keepFrom(ids, 0, length, overflow)
    if (this.keptPackets.length > 0 && !this.waiting) this.flush()
    if (this.keptPackets.length > 0) return this.#keepFrom(ids, 0, length, overflow)
    let taken = 0
    let result = 0
    // One native call, unless an operator made a burst that is larger than any that a queue gives out.
    do {
      result = this.push(port, ids, at, taken, length)
      taken += result & COUNT
    } while (taken < length && (result & COUNT) === MAX_BURST)
    if (taken === length) return true
    if (result & (STOPPED | FAULT)) return this.drop('not-ready', length - taken)
    const kept = this.#keepFrom(ids, taken, length, overflow)
    this.wait(port)
    return kept
  }

  /** Why packets are dropped now, whatever they are. */
  get #refusal(): DropReason | undefined {
    if (this.closed) return 'gone'
    if (this.port?.running === true || this.waitsWhileAbsent) return undefined
    return this.port === null ? 'no-device' : 'not-ready'
  }

  // Of single packets that come in one turn, the first.
  #noteComing(): void {
    if (this.waiting || !this.#gathering) this.keptPackets.comeAt(this.plane.scheduler.clock)
  }

  #keepFrom(ids: Uint32Array, from: number, to: number, overflow: Overflow): boolean {
    this.#noteComing()
    for (let i = from; i < to; i++) {
      if (this.#keep(ids[i], overflow)) continue
      this.drop('overflow', to - i - 1)
      return false
    }
    return true
  }

  // Keeps a packet for a ring without room, as far as `overflow` lets it.
  #keep(slot: number, overflow: Overflow): boolean {
    const kept = this.keptPackets
    // What was gathered in this turn may not have been tried yet.
    if (overflow !== 'block' && !kept.hasRoom && this.#gathering) this.flush()
    if (overflow === 'block' || kept.hasRoom) {
      kept.push(slot, overflow)
      return true
    }
    this.drop('overflow', 1)
    if (overflow === 'drop-oldest' && kept.dropOldest()) kept.push(slot, overflow)
    return overflow !== 'strict'
  }
}
