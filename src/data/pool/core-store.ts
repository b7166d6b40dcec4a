// Makes and reuses burst cores, the lists of slot ids behind bursts. A list is a part of the exchange, memory that the addon
// shares: dequeue writes the ids of a burst where they stay, and enqueue reads them there. When all lists of the exchange are
// in use, a core gets an array of its own, whose ids are copied to and from the exchange.
import { BURST_PACKETS, BurstCore } from '../../packet/burst.js'
import type { CoreStore, Slots } from '../../packet/packet.js'
import { MAX_BURST } from './arrays.js'

/** Unused cores that are stored: as many as pipelines have bursts in hand at one time. */
const MOST_SPARES = 64

export class Cores implements CoreStore {
  readonly #slots: Slots
  readonly #exchange: Uint32Array
  readonly #spares: BurstCore[] = []
  /** Where the free lists begin in the exchange. */
  readonly #free: number[] = []
  /** Where the lists begin that were never used. The words below MAX_BURST are for copying. */
  #fresh = MAX_BURST
  // The collector frees the list of a core that is not referenced any more.
  readonly #collected = new FinalizationRegistry<number>(at => this.#free.push(at))

  constructor(slots: Slots, exchange: Uint32Array) {
    this.#slots = slots
    this.#exchange = exchange
  }

  /** A core for at least `capacity` packets. */
  take(capacity: number): BurstCore {
    const spare = capacity <= BURST_PACKETS ? this.#spares.pop() : undefined
    if (spare === undefined) return this.make(Math.max(BURST_PACKETS, capacity))
    spare.origin = spare.input = spare.copied = null
    return spare
  }

  /** Takes back a core of take(). */
  give(core: BurstCore): void {
    core.length = 0
    // Marks that nobody has read must not pass to the next queue.
    core.cut = -1
    core.failed = 0
    if (core.skipped.length > 0) core.skipped.length = 0
    if (core.ids.length === BURST_PACKETS && this.#spares.length < MOST_SPARES) this.#spares.push(core)
  }

  /** A core for exactly `capacity` packets, which is not reused. */
  make(capacity: number): BurstCore {
    const at = capacity <= BURST_PACKETS ? this.#list() : undefined
    if (at === undefined) return new BurstCore(this.#slots, new Uint32Array(capacity))
    const core = new BurstCore(this.#slots, this.#exchange.subarray(at, at + capacity), at)
    this.#collected.register(core, at)
    return core
  }

  #list(): number | undefined {
    const at = this.#free.pop()
    if (at !== undefined || this.#fresh + BURST_PACKETS > this.#exchange.length) return at
    this.#fresh += BURST_PACKETS
    return this.#fresh - BURST_PACKETS
  }
}
