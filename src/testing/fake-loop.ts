// A clock and an event loop that a test advances by hand, so that tests of queues need no real time.
import type { Timers } from '../data/turn/timers.js'

/** Milliseconds that a turn of the loop takes. */
const TURN = 0.01

/** A clock and an event loop that a test advances by hand. */
export class FakeLoop implements Timers {
  /** Milliseconds since the loop was created. */
  time = 0
  /** Function that returns the time. */
  readonly now = (): number => this.time
  /** Runs a function in the next turn. */
  readonly defer = (run: () => void): void => {
    this.#deferred.push(run)
  }
  #deferred: (() => void)[] = []
  #timers: { at: number; run: () => void }[] = []

  /** Runs a function after `ms` milliseconds; returns a timer for `clear`. */
  set(run: () => void, ms: number): unknown {
    const timer = { at: this.time + ms, run }
    this.#timers.push(timer)
    return timer
  }

  /** Cancels a timer. */
  clear(timer: unknown): void {
    this.#timers = this.#timers.filter(other => other !== timer)
  }

  /** True if anything is deferred to the next turn; timers do not count. */
  get idle(): boolean {
    return this.#deferred.length === 0
  }

  /** Runs one turn: everything that was deferred before the turn began. */
  turn(): void {
    this.time += TURN
    const due = this.#timers.filter(timer => timer.at <= this.time)
    this.#timers = this.#timers.filter(timer => timer.at > this.time)
    for (const timer of due) timer.run()
    const deferred = this.#deferred
    this.#deferred = []
    for (const run of deferred) run()
  }

  /** Runs turns until nothing is deferred; throws after `most` turns. */
  drain(most = 100_000): void {
    while (!this.idle) {
      if (most-- <= 0) throw new Error('the loop never gets idle')
      this.turn()
    }
  }

  /** Advances the time; runs the turns and timers that are due, and those that they start. */
  advance(ms: number): void {
    const until = this.time + ms
    this.drain()
    while (this.time < until) {
      const next = Math.min(until, ...this.#timers.map(timer => timer.at))
      this.time = Math.max(this.time, next - TURN)
      this.turn()
      this.drain()
    }
  }
}
