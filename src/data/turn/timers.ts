// Timers as the data plane uses them: Node's own, or those of a test in virtual time.

export interface Timers {
  /** Calls `run` once after `ms` milliseconds; returns the timer. */
  set(run: () => void, ms: number): unknown
  clear(timer: unknown): void
}

export const nodeTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: timer => clearTimeout(timer as NodeJS.Timeout),
}
