// The backlog of a sink (sink.ts): packets that wait for room in the ring, first in, first out, each with a lease.
//
// Accounts. Packets of the overflow policy `block` stay charged to their source. So a full ring uses up the credit of the
//   source and stalls it. Packets of other policies are bounded in number and lent (pool/loans.ts): no queue is charged for
//   them, and they never slow their source.
import type { Overflow } from '../../packet/sink.js'
import type { LatencyRecorder } from '../counters/latency.js'
import { MAX_BURST } from '../pool/arrays.js'
import type { Pool } from '../pool/pool.js'
import { Arrivals } from './arrivals.js'

/** Set in an entry of `block`, which is never dropped for a newer packet. The rest of the entry is the slot id. */
const BLOCKS = 0x80000000
const FIRST_SIZE = 64
/** Most sinks never have a backlog. */
const EMPTY = new Uint32Array(0)

interface Waiter {
  /** Calls back once so many packets have left. */
  readonly until: number
  readonly done: () => void
}

const NOBODY: readonly Waiter[] = []

export class Backlog {
  readonly #pool: Pool
  readonly #limit: number
  /** Slot ids: a ring whose size is a power of two. */
  #entries = EMPTY
  #head = 0
  #length = 0
  /** Packets that ever left. */
  #left = 0
  readonly #arrivals = new Arrivals()
  /** Replaced, never altered. */
  #waiters: readonly Waiter[] = NOBODY

  /** `limit`: packets up to which `hasRoom` is true. */
  constructor(pool: Pool, limit: number) {
    this.#pool = pool
    this.#limit = limit
  }

  get length(): number {
    return this.#length
  }

  /** Whether there is room for a packet of an overflow policy other than `block`. */
  get hasRoom(): boolean {
    return this.#length < this.#limit
  }

  /** Packets that are pushed from here on arrive at `clock[0]`. */
  arriveAt(clock: Float64Array): void {
    this.#arrivals.begin(this.#left + this.#length, clock)
  }

  /** Records how long the oldest packet has waited; 0 if there is none. */
  record(recorder: LatencyRecorder, clock: Float64Array): void {
    this.#arrivals.record(recorder, clock)
  }

  /** Adds a packet, and takes a lease on it. */
  push(slot: number, overflow: Overflow): void {
    const block = overflow === 'block'
    if (block) this.#pool.retain(slot)
    else this.#pool.loans.lend(slot)
    if (this.#length === this.#entries.length) this.#grow()
    this.#entries[this.#index(this.#length++)] = block ? slot | BLOCKS : slot
  }

  /** Copies the slots of the oldest packets to the start of `exchange`; returns their number. */
  peek(exchange: Uint32Array): number {
    const count = Math.min(this.#length, MAX_BURST)
    for (let i = 0; i < count; i++) exchange[i] = (this.#entries[this.#index(i)] & ~BLOCKS) >>> 0
    return count
  }

  /** Takes out the oldest `count` packets and releases them. */
  release(count: number): void {
    for (let i = 0; i < count; i++) {
      const entry = this.#entries[this.#index(i)]
      if (entry >= BLOCKS) this.#pool.release((entry & ~BLOCKS) >>> 0)
      else this.#pool.loans.unlend(entry)
    }
    this.#shift(count)
    this.#haveLeft(count)
  }

  /** Takes out and releases the oldest packet that may be dropped; false if there is none. */
  dropOldest(): boolean {
    for (let i = 0; i < this.#length; i++) {
      const slot = this.#entries[this.#index(i)]
      if (slot >= BLOCKS) continue
      for (let j = i; j > 0; j--) this.#entries[this.#index(j)] = this.#entries[this.#index(j - 1)]
      this.#shift(1)
      this.#pool.loans.unlend(slot)
      this.#haveLeft(1)
      return true
    }
    return false
  }

  /** Calls back once all packets that are in the backlog now have left; returns what cancels that. */
  whenDrained(done: () => void): () => void {
    if (this.#length === 0) {
      done()
      return () => {}
    }
    const waiter = { until: this.#left + this.#length, done }
    this.#waiters = this.#waiters.concat(waiter)
    return () => {
      this.#waiters = this.#waiters.filter(other => other !== waiter)
    }
  }

  /** Where the entry is that is number `i` from the oldest. */
  #index(i: number): number {
    return (this.#head + i) & (this.#entries.length - 1)
  }

  #shift(count: number): void {
    this.#head = this.#index(count)
    this.#length -= count
  }

  #haveLeft(count: number): void {
    this.#left += count
    if (this.#length === 0) this.#arrivals.clear()
    else this.#arrivals.left(this.#left)
    while (this.#waiters.length > 0 && this.#waiters[0].until <= this.#left) {
      const [{ done }, ...others] = this.#waiters
      this.#waiters = others
      done()
    }
  }

  #grow(): void {
    const larger = new Uint32Array(Math.max(FIRST_SIZE, this.#entries.length * 2))
    for (let i = 0; i < this.#length; i++) larger[i] = this.#entries[this.#index(i)]
    this.#entries = larger
    this.#head = 0
  }
}
