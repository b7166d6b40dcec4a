// Time and the event loop, by hand: tests of queues wait for nothing and need no clock.
import type { Timers } from '../data/turn/timers.js'

/** Milliseconds that a turn of the loop takes. */
const TURN = 0.01

/** Time and the event loop, by hand. */
export class FakeLoop implements Timers {
  /** Milliseconds since it was made. */
  time = 0
  /** The time, as a function. */
  readonly now = (): number => this.time
  /** Runs something in the next turn. */
  readonly defer = (run: () => void): void => {
    this.#deferred.push(run)
  }
  #deferred: (() => void)[] = []
  #timers: { at: number; run: () => void }[] = []

  /** Runs something when `ms` milliseconds have passed; what it returns is for `clear`. */
  set(run: () => void, ms: number): unknown {
    const timer = { at: this.time + ms, run }
    this.#timers.push(timer)
    return timer
  }

  /** Forgets a timer. */
  clear(timer: unknown): void {
    this.#timers = this.#timers.filter(other => other !== timer)
  }

  /** Is there anything for the next turn, timers apart? */
  get idle(): boolean {
    return this.#deferred.length === 0
  }

  /** One turn: what was deferred before it. */
  turn(): void {
    this.time += TURN
    const due = this.#timers.filter(timer => timer.at <= this.time)
    this.#timers = this.#timers.filter(timer => timer.at > this.time)
    for (const timer of due) timer.run()
    const deferred = this.#deferred
    this.#deferred = []
    for (const run of deferred) run()
  }

  /** Turns until nothing is deferred; throws when that takes more than `most`. */
  drain(most = 100_000): void {
    while (!this.idle) {
      if (most-- <= 0) throw new Error('the loop never gets idle')
      this.turn()
    }
  }

  /** Time passes, with turns, timers and what they start. */
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
