// The lists of slot ids of bursts. They stand in the words that the addon shares, so that dequeue writes a burst's ids
// where they stay, and enqueue reads them there. Who is given none, because they are few, has a list of its own, whose ids
// are copied on the way. It knows no packets.
import { BURST_PACKETS, BurstCore } from '../../packet/burst.js'
import type { CoreStore, Slots } from '../../packet/packet.js'
import { MAX_BURST } from './arrays.js'

/** Cores kept for the next burst: as many as pipelines have bursts in hand at one time. */
const MOST_SPARES = 64

export class Cores implements CoreStore {
  readonly #slots: Slots
  readonly #exchange: Uint32Array
  readonly #spares: BurstCore[] = []
  /** Lists that nobody has, and the first that nobody had yet. Those below MAX_BURST are where ids are copied through. */
  readonly #free: number[] = []
  #fresh = MAX_BURST
  // A list goes with its core: who drops a core need not say so.
  readonly #dropped = new FinalizationRegistry<number>(at => this.#free.push(at))

  constructor(slots: Slots, exchange: Uint32Array) {
    this.#slots = slots
    this.#exchange = exchange
  }

  take(capacity: number): BurstCore {
    const spare = capacity <= BURST_PACKETS ? this.#spares.pop() : undefined
    if (spare === undefined) return this.make(Math.max(BURST_PACKETS, capacity))
    spare.origin = spare.input = spare.copied = null
    return spare
  }

  give(core: BurstCore): void {
    core.length = 0
    // Marks of a burst that nobody asked about must not be another queue's.
    core.cut = -1
    core.failed = 0
    if (core.skipped.length > 0) core.skipped.length = 0
    if (core.ids.length === BURST_PACKETS && this.#spares.length < MOST_SPARES) this.#spares.push(core)
  }

  /** A core for exactly `capacity` packets at most. */
  make(capacity: number): BurstCore {
    const at = capacity <= BURST_PACKETS ? this.#list() : undefined
    if (at === undefined) return new BurstCore(this.#slots, new Uint32Array(capacity))
    const core = new BurstCore(this.#slots, this.#exchange.subarray(at, at + capacity), at)
    this.#dropped.register(core, at)
    return core
  }

  #list(): number | undefined {
    const at = this.#free.pop()
    if (at !== undefined || this.#fresh + BURST_PACKETS > this.#exchange.length) return at
    this.#fresh += BURST_PACKETS
    return this.#fresh - BURST_PACKETS
  }
}
