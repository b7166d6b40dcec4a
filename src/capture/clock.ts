// The current time as the two words of a pcapng timestamp: nanoseconds since 1970, which are too large for a number; a BigInt
// for each burst would be an allocation.
import type { Timestamp } from './pcapng.js'

const WORD = 2 ** 32
/** Milliseconds between monotonic and wall clock, by drift or by setting the latter, beyond which the wall clock is followed. */
const DRIFT_MS = 10

export class CaptureClock implements Timestamp {
  high = 0
  low = 0
  readonly #now: () => number
  readonly #follows: boolean
  #origin = 0
  #originHigh = 0
  #originLow = 0

  /** `now`: milliseconds since 1970, for tests. */
  constructor(now?: () => number) {
    this.#now = now ?? (() => performance.now())
    this.#follows = now === undefined
    if (this.#follows) this.#begin(performance.timeOrigin)
    this.read()
  }

  /** Reads the clock into `high` and `low`. */
  read(): void {
    const sum = this.#originLow + Math.round(this.#now() * 1e6)
    const carry = Math.floor(sum / WORD)
    this.low = sum - carry * WORD
    this.high = this.#originHigh + carry
  }

  /** Compares with the wall clock, and follows it. Called for a file or a chunk, not for each burst. */
  follow(): void {
    if (!this.#follows) return
    const origin = Date.now() - performance.now()
    if (Math.abs(origin - this.#origin) > DRIFT_MS) this.#begin(origin)
  }

  /** A copy of the time that was last read. */
  snapshot(): Timestamp {
    return { high: this.high, low: this.low }
  }

  #begin(origin: number): void {
    // A double has milliseconds since 1970 to a fraction of a microsecond.
    const nanoseconds = BigInt(Math.round(origin * 1e3)) * 1000n
    this.#origin = origin
    this.#originHigh = Number(nanoseconds >> 32n)
    this.#originLow = Number(nanoseconds & 0xffffffffn)
  }
}

/** Seconds between two times. */
export function secondsBetween(from: Timestamp, to: Timestamp): number {
  return ((to.high - from.high) * WORD + (to.low - from.low)) / 1e9
}
