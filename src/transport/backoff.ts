// Computes the wait before the next attempt to connect. It grows with each failure up to a limit, and has a random
// part, so that the back ends of a front end that comes back do not all connect at the same time.

export interface BackoffOptions {
  /** Wait after the first failure, in milliseconds. */
  first: number
  /** The longest wait. */
  most: number
  /** Returns a number from 0 to 1. A test can replace it. */
  random?: () => number
}

/** A lost connection is made again within milliseconds. While a front end is absent, there is one attempt in 2 s. */
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

  /** Counts a failure and returns the wait. It doubles each time, less a random part of up to one half. */
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
