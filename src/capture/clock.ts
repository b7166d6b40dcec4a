// What time it is, as the two words of a pcapng timestamp: nanoseconds since 1970, which no number of JavaScript holds
// and for which no BigInt is made per burst.
import type { Timestamp } from './pcapng.js'

const WORD = 2 ** 32
/** The monotonic clock and the wall clock drift apart, or somebody sets the latter: followed beyond so many milliseconds. */
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

  /** Looks at the clock. */
  read(): void {
    const sum = this.#originLow + Math.round(this.#now() * 1e6)
    const carry = Math.floor(sum / WORD)
    this.low = sum - carry * WORD
    this.high = this.#originHigh + carry
  }

  /** Follows the wall clock. Now and then; not per burst. */
  follow(): void {
    if (!this.#follows) return
    const origin = Date.now() - performance.now()
    if (Math.abs(origin - this.#origin) > DRIFT_MS) this.#begin(origin)
  }

  /** The moment of the last look, to keep. */
  snapshot(): Timestamp {
    return { high: this.high, low: this.low }
  }

  #begin(origin: number): void {
    // Milliseconds with fractions of a microsecond: as much as a double has of them.
    const nanoseconds = BigInt(Math.round(origin * 1e3)) * 1000n
    this.#origin = origin
    this.#originHigh = Number(nanoseconds >> 32n)
    this.#originLow = Number(nanoseconds & 0xffffffffn)
  }
}

/** Seconds from one moment to a later one. */
export function secondsBetween(from: Timestamp, to: Timestamp): number {
  return ((to.high - from.high) * WORD + (to.low - from.low)) / 1e9
}
