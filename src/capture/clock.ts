// The current time as the two 32-bit words of a pcapng timestamp: nanoseconds since 1970. This value is too large for a
// number, and a BigInt per burst would be an allocation.
import type { Timestamp } from './pcapng.js'

const WORD = 2 ** 32
/**
 * If the monotonic clock differs from the wall clock by more than this number of milliseconds, the capture's clock is
 * set to the wall clock. The clocks can differ because of drift, or because somebody set the wall clock.
 */
const DRIFT_MS = 10

export class CaptureClock implements Timestamp {
  high = 0
  low = 0
  readonly #now: () => number
  readonly #follows: boolean
  #origin = 0
  #originHigh = 0
  #originLow = 0

  /** @param now Returns milliseconds since 1970. Only for tests. */
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

  /**
   * Compares this clock with the wall clock and sets it if they differ by more than DRIFT_MS. Called once per file or
   * chunk, not once per burst.
   */
  follow(): void {
    if (!this.#follows) return
    const origin = Date.now() - performance.now()
    if (Math.abs(origin - this.#origin) > DRIFT_MS) this.#begin(origin)
  }

  /** Returns a copy of the time that `read()` read last. */
  snapshot(): Timestamp {
    return { high: this.high, low: this.low }
  }

  #begin(origin: number): void {
    // A double stores milliseconds since 1970 with an error of less than a microsecond.
    const nanoseconds = BigInt(Math.round(origin * 1e3)) * 1000n
    this.#origin = origin
    this.#originHigh = Number(nanoseconds >> 32n)
    this.#originLow = Number(nanoseconds & 0xffffffffn)
  }
}

/** Returns the seconds between two times. */
export function secondsBetween(from: Timestamp, to: Timestamp): number {
  return ((to.high - from.high) * WORD + (to.low - from.low)) / 1e9
}
