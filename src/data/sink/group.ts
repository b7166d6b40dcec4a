// The to-guest queues of all pairs of a device as one: a packet goes to the pair on which the guest last sent its flow, or
// else to one of the running pairs that the hash of its flow selects; so a flow stays in order. Each pair has its own queue
// and backlog (sink.ts). While only one pair runs, no packet is looked at. The group follows devices as a single queue follows
// rings.

import { VhostError } from '../../errors.js'
import { Burst, type HeldBurst } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import type { DropReason, Overflow, PacketSink, StationWatcher } from '../../packet/sink.js'
import { sumTotals, type Totals } from '../counters/totals.js'
import type { DataPlane } from '../plane.js'
import { ownCore, ownSlot } from '../pool/own-pool.js'
import type { PairPorts } from '../ring/pair-ports.js'
import { checkFrom, type SinkOptions, SinkQueue } from './sink.js'

/** Packets of the burst in hand that go to one pair. */
interface Part {
  ids: Uint32Array
  length: number
}

const NO_PAIRS: readonly number[] = []

export class SinkGroup implements PacketSink {
  readonly #plane: DataPlane
  readonly #options: SinkOptions
  /** By pair; undefined for pairs that were never used. */
  readonly #members: (SinkQueue | undefined)[]
  /** Pairs whose ring runs, in order. */
  #running = NO_PAIRS
  /** The first pair that runs; if none does, pair 0, which drops or queues packets as its options say. */
  #only: SinkQueue
  /** By pair; made when several pairs run. undefined while a burst is spread. */
  #parts: Part[] | undefined
  #device: PairPorts | null = null
  #closed = false

  constructor(plane: DataPlane, options: SinkOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#only = new SinkQueue(plane, options)
    this.#members = [this.#only]
  }

  /** Fills this device's rings from now on; `running` are the pairs whose to-guest ring runs. */
  attach(device: PairPorts, running: readonly number[]): void {
    this.detach()
    this.#device = device
    this.#runs(running)
    for (const pair of device.used) this.open(pair)
  }

  /** The guest has begun to use this pair. */
  open(pair: number): void {
    if (this.#device !== null) this.member(pair).attach(this.#device.port(pair))
  }

  /** The to-guest ring of a pair has started or stopped. */
  ringState(pair: number, runs: boolean): void {
    const others = this.#running.filter(other => other !== pair)
    this.#runs(runs ? others.concat(pair).sort((a, b) => a - b) : others)
    if (runs) return
    // Its backlog moves to the other pairs: the ring may never run again.
    if (this.#running.length > 0)
      this.member(pair).moveBacklog((ids, count) => this.#spread(ids, count, 'block'))
  }

  detach(reason?: DropReason): void {
    this.#device = null
    this.#runs(NO_PAIRS)
    for (const queue of this.#members) queue?.detach(reason)
  }

  close(): void {
    this.#closed = true
    this.#device = null
    this.#runs(NO_PAIRS)
    for (const queue of this.#members) queue?.close()
  }

  #runs(pairs: readonly number[]): void {
    this.#running = pairs
    this.#only = this.member(pairs[0] ?? 0)
  }

  get available(): boolean {
    return this.#only.available
  }

  use(): () => void {
    return this.member(0).use()
  }

  /** Pair 0 is attached to every device. */
  watch(watcher: StationWatcher): () => void {
    return this.member(0).watch(watcher)
  }

  /** The front end reports that the guest with this address has moved here. */
  moved(mac: string): void {
    for (const queue of this.#all) queue.moved(mac)
  }

  sendFrame(frame: Uint8Array): void {
    this.#only.sendFrame(frame)
  }

  next(item: Burst | Packet): void {
    if (!this.accept(item, this.#options.overflow ?? 'block'))
      throw new VhostError('ERR_VHOST_OVERFLOW', "the ring is full and the overflow policy is 'strict'")
  }

  accept(item: Burst | Packet, overflow: Overflow): boolean {
    if (this.#running.length <= 1) return this.#only.accept(item, overflow)
    const { pool } = this.#plane
    if (!(item instanceof Burst)) return this.member(this.#pairOf(ownSlot(pool, item))).accept(item, overflow)
    const { ids, length } = ownCore(pool, item)
    return this.#spread(ids, length, overflow)
  }

  /** Plain call: stops at the first packet whose ring has no room. */
  enqueue(burst: Burst | HeldBurst, from: number): number {
    if (this.#running.length <= 1) return this.#only.enqueue(burst, from)
    const { ids, length } = ownCore(this.#plane.pool, burst)
    checkFrom(from, length)
    let at = from
    while (at < length) {
      const pair = this.#pairOf(ids[at])
      let end = at + 1
      while (end < length && this.#pairOf(ids[end]) === pair) end++
      const taken = this.member(pair).put(ids, at, end)
      at += taken
      if (at < end) break
    }
    return at - from
  }

  whenDrained(done: () => void): () => void {
    const members = this.#all
    let left = members.length
    const cancels = members.map(queue =>
      queue.whenDrained(() => {
        if (--left === 0) done()
      }),
    )
    return () => {
      for (const cancel of cancels) cancel()
    }
  }

  totals(): Totals {
    return sumTotals(this.#all.map(queue => queue.totals()))
  }

  /** The queue of one pair. */
  member(pair: number): SinkQueue {
    const known = this.#members[pair]
    if (known !== undefined) return known
    const queue = new SinkQueue(this.#plane, this.#options)
    this.#members[pair] = queue
    if (this.#closed) queue.close()
    return queue
  }

  get #all(): SinkQueue[] {
    return this.#members.filter(queue => queue !== undefined)
  }

  #pairOf(slot: number): number {
    return this.#device === null ? 0 : this.#device.flows.pairOf(this.#plane.pool, slot, this.#running)
  }

  #spread(ids: Uint32Array, length: number, overflow: Overflow): boolean {
    // Out of the field while it is in use: a pipeline that completes meanwhile can send packets of its own.
    const parts = this.#parts ?? []
    this.#parts = undefined
    for (const pair of this.#running) emptyPart(parts, pair, length)
    for (let i = 0; i < length; i++) {
      const part = parts[this.#pairOf(ids[i])]
      part.ids[part.length++] = ids[i]
    }
    let all = true
    for (const pair of this.#running) {
      const part = parts[pair]
      if (part.length > 0) all = this.member(pair).acceptSlots(part.ids, part.length, overflow) && all
    }
    this.#parts = parts
    return all
  }
}

/** Empties the part of this pair, with room for `size` packets. */
function emptyPart(parts: Part[], pair: number, size: number): void {
  const part = parts[pair]
  if (part !== undefined && part.ids.length >= size) part.length = 0
  else parts[pair] = { ids: new Uint32Array(Math.max(size, 64)), length: 0 }
}
