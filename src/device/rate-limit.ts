// Limits how many of the events that a front end can cause at will reach the subscribers.

/** Allows a number of events in each second; the session drops the others. */
export class RateLimit {
  readonly #aSecond: number
  #until = 0
  #left = 0

  constructor(aSecond: number) {
    this.#aSecond = aSecond
  }

  get allows(): boolean {
    const now = performance.now()
    if (now >= this.#until) {
      this.#until = now + 1000
      this.#left = this.#aSecond
    }
    return this.#left-- > 0
  }
}
