// When the packets of a FIFO came: one time for each run of them that came together, so that a latency can be counted
// from it. Two arrays that go round, since a sink under load begins a run with every burst: an object for each would be
// garbage per burst.

import type { LatencyRecorder } from '../counters/latency.js'

/** Runs that there is room for once something came; twice as many whenever that is not enough. A power of two. */
const RUNS = 16
/** Most sinks never wait for room. */
const NOTHING = new Float64Array(0)

export class Arrivals {
  /** Of each run: how many packets had come before its first, and when that came. */
  #before = NOTHING
  #times = NOTHING
  #head = 0
  #length = 0

  /** What comes from here on, behind so many packets, comes at `clock[0]`. */
  begin(before: number, clock: Float64Array): void {
    if (this.#length > 0) {
      const last = this.#at(this.#length - 1)
      if (this.#times[last] === clock[0]) return
      if (this.#before[last] === before) this.#length-- // nothing came in that run
    }
    if (this.#length === this.#times.length) this.#grow()
    const next = this.#at(this.#length++)
    this.#before[next] = before
    this.#times[next] = clock[0]
  }

  /** So many packets have left since the beginning. */
  left(gone: number): void {
    while (this.#length > 1 && this.#before[this.#at(1)] <= gone) {
      this.#head = this.#at(1)
      this.#length--
    }
  }

  /** All have left. */
  clear(): void {
    this.#length = 0
  }

  /** Has the recorder note how long the oldest packet has waited at `clock[0]`; nothing that waits took no time. */
  record(recorder: LatencyRecorder, clock: Float64Array): void {
    if (this.#length === 0) recorder.recordNone()
    else recorder.recordSince(this.#times, this.#head, clock)
  }

  #at(run: number): number {
    return (this.#head + run) & (this.#times.length - 1)
  }

  #grow(): void {
    const inOrder = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(Math.max(RUNS, 2 * from.length))
      for (let i = 0; i < this.#length; i++) to[i] = from[this.#at(i)]
      return to
    }
    const before = inOrder(this.#before)
    this.#times = inOrder(this.#times)
    this.#before = before
    this.#head = 0
  }
}
