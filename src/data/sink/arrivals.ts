// The arrival times of the packets in a backlog (backlog.ts), for its latency: one time for each run of packets that arrived
// together. The runs are in two arrays used as rings: a sink under load begins a run with every burst, and an object for each
// would be garbage per burst.

import type { LatencyRecorder } from '../counters/latency.js'

/** Runs that the first arrays have room for, a power of two. The arrays double when they are full. */
const RUNS = 16
/** Most sinks never have a backlog. */
const EMPTY = new Float64Array(0)

export class Arrivals {
  /** Of each run: how many packets arrived before its first one, and when that one arrived, in milliseconds. */
  #before = EMPTY
  #times = EMPTY
  #head = 0
  #length = 0

  /** Packets from here on arrive at `clock[0]`; `before` packets arrived earlier, in all. */
  begin(before: number, clock: Float64Array): void {
    if (this.#length > 0) {
      const last = this.#at(this.#length - 1)
      if (this.#times[last] === clock[0]) return
      if (this.#before[last] === before) this.#length-- // that run has no packet
    }
    if (this.#length === this.#times.length) this.#grow()
    const next = this.#at(this.#length++)
    this.#before[next] = before
    this.#times[next] = clock[0]
  }

  /** `count` packets have left, in all. */
  left(count: number): void {
    while (this.#length > 1 && this.#before[this.#at(1)] <= count) {
      this.#head = this.#at(1)
      this.#length--
    }
  }

  /** All packets have left. */
  clear(): void {
    this.#length = 0
  }

  /** Records how long the oldest packet has waited at `clock[0]`; 0 if there is none. */
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
