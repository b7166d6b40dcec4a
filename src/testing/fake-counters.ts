// The counters of a ring in memory (fake-port.ts): the same as a native ring's, for the packets that it moved.
import { addCounters, type Counters, counterAt, countFrame, newCounters } from '../data/counters/counters.js'
import type { Pool } from '../data/pool/pool.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT } from '../packet/packet.js'

const NOTIFICATIONS = counterAt('guest_notifications')
const BURSTS = counterAt('bursts')
const IDLE_BURSTS = counterAt('idle-bursts')

export class FakeCounters {
  readonly #pool: Pool
  readonly #counters = newCounters()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  get notifications(): number {
    return this.#counters[NOTIFICATIONS]
  }

  addTo(sums: Counters): void {
    addCounters(sums, this.#counters)
  }

  /** A call moved the `count` packets whose ids are at `at` of the exchange. */
  moved(count: number, at: number): void {
    const { bytes, exchange, meta } = this.#pool
    this.#counters[BURSTS]++
    this.#counters[count === 0 ? IDLE_BURSTS : NOTIFICATIONS]++
    for (let i = 0; i < count; i++) {
      const base = exchange[at + i] << SLOT_SHIFT
      countFrame(this.#counters, bytes, meta[base + SLOT_OFFSET], meta[base + SLOT_LENGTH])
    }
  }
}
