// What a sink keeps for a ring without room: a FIFO of leases, bounded for those that a pipeline may lose.
//
// Who pays. What `block` keeps stays charged to its source, whose credit so runs out: a full ring stalls its source.
//   What the other overflows keep is charged to nobody's queue, so that it never slows its source.
import type { Overflow } from '../../packet/sink.js'
import type { LatencyRecorder } from '../counters/latency.js'
import { MAX_BURST } from '../pool/arrays.js'
import type { Pool } from '../pool/pool.js'
import { Arrivals } from './arrivals.js'
import { SlotFifo } from './fifo.js'

interface Waiting {
  readonly until: number
  readonly done: () => void
}

const NOBODY: readonly Waiting[] = []

export class KeptPackets {
  readonly #fifo = new SlotFifo()
  readonly #pool: Pool
  readonly #limit: number
  /** Packets that ever left, and who waits for that count. */
  #gone = 0
  readonly #arrivals = new Arrivals()
  /** Replaced, never altered. */
  #waiting: readonly Waiting[] = NOBODY

  constructor(pool: Pool, limit: number) {
    this.#pool = pool
    this.#limit = limit
  }

  get length(): number {
    return this.#fifo.length
  }

  /** Is there room for one more that may be lost? */
  get hasRoom(): boolean {
    return this.#fifo.length < this.#limit
  }

  /** Packets that are kept from here on came at `clock[0]`. */
  comeAt(clock: Float64Array): void {
    this.#arrivals.begin(this.#gone + this.#fifo.length, clock)
  }

  /** Has the recorder note how long the oldest packet was kept. */
  record(recorder: LatencyRecorder, clock: Float64Array): void {
    this.#arrivals.record(recorder, clock)
  }

  /** Takes a lease on the packet and keeps it. */
  push(slot: number, overflow: Overflow): void {
    const block = overflow === 'block'
    if (block) this.#pool.retain(slot)
    else this.#pool.loans.lend(slot)
    this.#fifo.push(slot, block)
  }

  /** Gives up the oldest packet that may be lost; false if there is none. */
  dropOldest(): boolean {
    const slot = this.#fifo.takeOldestDroppable()
    if (slot < 0) return false
    this.#pool.loans.unlend(slot)
    this.#left(1)
    return true
  }

  /** Copies the slots of the oldest packets to the start of `exchange`; the number of them. */
  peek(exchange: Uint32Array): number {
    const count = Math.min(this.#fifo.length, MAX_BURST)
    for (let i = 0; i < count; i++) exchange[i] = this.#fifo.at(i)
    return count
  }

  /** Releases the oldest `count`. */
  letGo(count: number): void {
    const fifo = this.#fifo
    for (let i = 0; i < count; i++) {
      if (fifo.isKept(i)) this.#pool.release(fifo.at(i))
      else this.#pool.loans.unlend(fifo.at(i))
    }
    fifo.drop(count)
    this.#left(count)
  }

  /** Calls back once all that is kept now has left; returns what cancels that. */
  whenGone(done: () => void): () => void {
    if (this.#fifo.length === 0) {
      done()
      return () => {}
    }
    const wait = { until: this.#gone + this.#fifo.length, done }
    this.#waiting = this.#waiting.concat(wait)
    return () => {
      this.#waiting = this.#waiting.filter(other => other !== wait)
    }
  }

  #left(count: number): void {
    this.#gone += count
    if (this.#fifo.length === 0) this.#arrivals.clear()
    else this.#arrivals.left(this.#gone)
    while (this.#waiting.length > 0 && this.#waiting[0].until <= this.#gone) {
      const [{ done }, ...others] = this.#waiting
      this.#waiting = others
      done()
    }
  }
}
