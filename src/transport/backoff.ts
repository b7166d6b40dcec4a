// How long to wait before the next attempt to connect: longer after each failure, up to a limit, and never the same for
// two processes, so that a front end that comes back is not met by all of its back ends at once.

export interface BackoffOptions {
  /** Wait after the first failure, in milliseconds. */
  first: number
  /** The longest wait. */
  most: number
  /** 0 to 1; a test's own. */
  random?: () => number
}

/** A connection that was lost is made again within milliseconds; a front end that is away for hours costs one attempt in 2 s. */
export const RECONNECT_FIRST_MS = 50
export const RECONNECT_MOST_MS = 2000

export class Backoff {
  /** Failures in a row. */
  attempt = 0
  readonly #first: number
  readonly #most: number
  readonly #random: () => number

  constructor({ first, most, random = Math.random }: BackoffOptions) {
    this.#first = first
    this.#most = Math.max(first, most)
    this.#random = random
  }

  /** One more failure: how long to wait. Doubles each time; the jitter takes up to half of it away. */
  next(): number {
    // 2^30 times the first wait is beyond any limit: the exponent needs to go no higher.
    const wait = Math.min(this.#first * 2 ** Math.min(this.attempt, 30), this.#most)
    this.attempt++
    return Math.round(wait * (1 - this.#random() / 2))
  }

  reset(): void {
    this.attempt = 0
  }
}
