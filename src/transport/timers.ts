// Time, as far as the transport knows it: one-shot timers, so that a test can pass five seconds in no time. They
// never keep the process alive by themselves.

export interface Timers {
  set(ms: number, callback: () => void): unknown
  clear(timer: unknown): void
}

export const systemTimers: Timers = {
  set: (ms, callback) => setTimeout(callback, ms).unref(),
  clear: timer => clearTimeout(timer as NodeJS.Timeout),
}

/** A timer that is either waiting or not; starting it again starts it afresh. */
export class Deadline {
  readonly #timers: Timers
  readonly #ms: number
  readonly #passed: () => void
  #timer: unknown

  constructor(timers: Timers, ms: number, passed: () => void) {
    this.#timers = timers
    this.#ms = ms
    this.#passed = passed
  }

  get waiting(): boolean {
    return this.#timer !== undefined
  }

  start(): void {
    this.stop()
    this.#timer = this.#timers.set(this.#ms, () => {
      this.#timer = undefined
      this.#passed()
    })
  }

  stop(): void {
    if (this.#timer !== undefined) this.#timers.clear(this.#timer)
    this.#timer = undefined
  }
}
