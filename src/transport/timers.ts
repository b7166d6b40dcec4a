// One-shot timers of the transport, which a test can replace by its own clock. They do not keep the process alive.

export interface Timers {
  set(ms: number, callback: () => void): unknown
  clear(timer: unknown): void
}

export const systemTimers: Timers = {
  set: (ms, callback) => setTimeout(callback, ms).unref(),
  clear: timer => clearTimeout(timer as NodeJS.Timeout),
}

/** A timer that can be restarted; a restart replaces the earlier deadline. */
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
