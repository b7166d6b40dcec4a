// The clock of marble tests: rxjs' TestScheduler, from which the data plane takes its turns, its clock and its timers,
// since native callbacks and Node's own timers run in real time. One frame is one millisecond; all turns that do not
// wait for a timer run within one frame.
import { TestScheduler } from 'rxjs/testing'
import { Scheduler } from '../data/turn/scheduler.js'
import type { Timers } from '../data/turn/timers.js'

/** A pipeline that is still busy after this many turns in one frame is taken to be endless. */
const MOST_TURNS = 100_000

/** A check that runs when the virtual time is over; it throws if it fails. */
export type Check = () => void

/** The clock of marble tests: the TestScheduler of rxjs, from which the data plane takes its turns and timers. */
export class VirtualTime extends TestScheduler implements Timers {
  /** Serves queues in virtual time. */
  readonly scheduler = new Scheduler({ now: () => this.now(), defer: run => this.defer(run), spin: false })
  /** An error that fails the test even if all diagrams match. */
  refusal: Error | undefined
  #checks: Check[] = []
  #endOfFrame: (() => void)[] = []
  #cleanUp: (() => void)[] = []
  #turns = 0

  constructor(equal: (actual: unknown, expected: unknown) => unknown) {
    super((actual, expected) => void equal(actual, expected))
    // rxjs has no event for the end of a frame, but it sets this property when the next frame begins.
    let frame = 0
    Object.defineProperty(this, 'frame', {
      get: () => frame,
      set: (next: number) => {
        if (next !== frame) this.#frameEnds()
        frame = next
      },
    })
  }

  /** Compares as the test's assertion library does. */
  equal(actual: unknown, expected: unknown): void {
    this.assertDeepEqual(actual, expected)
  }

  /** Runs a function in a later turn of this frame. */
  readonly defer = (run: () => void): void => {
    if (++this.#turns > MOST_TURNS)
      throw new Error(`the pipeline is still busy after ${MOST_TURNS} turns in frame ${this.frame}`)
    this.schedule(run, 0)
  }

  /** Runs a function after `ms` frames; returns a timer for `clear`. */
  set(run: () => void, ms: number): unknown {
    return this.schedule(run, ms)
  }

  /** Cancels a timer. */
  clear(timer: unknown): void {
    ;(timer as { unsubscribe(): void }).unsubscribe()
  }

  /** Calls a function when a frame is over. */
  atEndOfFrame(look: () => void): void {
    this.#endOfFrame.push(look)
  }

  /** Adds a check for the next flush(). */
  check(check: Check): void {
    this.#checks.push(check)
  }

  /** Runs when the test is over, passed or not. */
  cleanUp(run: () => void): void {
    this.#cleanUp.push(run)
  }

  /** Advances the time until nothing is scheduled, then checks all expectations, and throws if one is not met. */
  override flush(): void {
    try {
      super.flush()
    } catch (error) {
      throw this.refusal ?? error
    }
    if (this.refusal) throw this.refusal
    this.#frameEnds()
    const checks = this.#checks
    this.#checks = []
    for (const check of checks) check()
  }

  /** Cleans up, whether the test passed or failed. */
  end(): void {
    for (const run of this.#cleanUp.splice(0)) run()
  }

  #frameEnds(): void {
    this.#turns = 0
    for (const look of this.#endOfFrame) look()
  }
}
