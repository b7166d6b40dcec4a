// Measures the back end under test: the counters of its queues, turns of the event loop, and garbage collections.
import { type IntervalHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { native } from '../../src/addon/native.js'
import { dataPlane } from '../../src/data/env.js'
import type { Ports } from './work-calls.js'

/** Counters, with the same names as in the reference back end. */
export interface Counters {
  dequeued: number
  enqueued: number
  dequeues: number
  idleDequeues: number
  enqueues: number
  idleEnqueues: number
  /** Time of waiting after polls that found nothing. */
  spinWaitNs: number
}

export interface Sample extends Counters {
  ns: number
  /** Number of turns of the event loop, and the longest turn. The reference has no event loop. */
  turns?: number
  longestTurnMs?: number
  gcs?: number
  longestGcMs?: number
}

export class Meter {
  /** Counts the turns of loops outside the scheduler. */
  readonly loops = { turns: 0 }
  readonly #ports: Ports
  readonly #gcs: number[] = []
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 })
  #from: Counters | undefined
  #began = 0
  #turnsBefore = 0

  constructor(ports: Ports) {
    this.#ports = ports
    const observer = new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) this.#gcs.push(duration)
    })
    observer.observe({ entryTypes: ['gc'] })
  }

  counters(): Counters {
    const sums = {
      ...{ dequeued: 0, enqueued: 0, dequeues: 0, idleDequeues: 0, enqueues: 0, idleEnqueues: 0 },
      spinWaitNs: native().spinWaited(),
    }
    for (const { stats } of this.#ports.from) {
      sums.dequeued += stats.good_packets
      sums.dequeues += stats.bursts
      sums.idleDequeues += stats.idleBursts
    }
    for (const { stats } of this.#ports.to) {
      sums.enqueued += stats.good_packets
      sums.enqueues += stats.bursts
      sums.idleEnqueues += stats.idleBursts
    }
    return sums
  }

  begin(): void {
    this.#gcs.length = 0
    this.#delays.enable()
    this.#delays.reset()
    this.#turnsBefore = this.#turns
    this.#from = this.counters()
    this.#began = performance.now()
  }

  end(): Sample {
    const ns = (performance.now() - this.#began) * 1e6
    const now = difference(this.counters(), this.#from as Counters)
    const turns = this.#turns - this.#turnsBefore
    this.#delays.disable()
    return {
      ...now,
      ns,
      turns,
      longestTurnMs: this.#delays.max / 1e6,
      gcs: this.#gcs.length,
      longestGcMs: Math.max(0, ...this.#gcs),
    }
  }

  get #turns(): number {
    return this.loops.turns + dataPlane().scheduler.turns
  }
}

export function difference(now: Counters, before: Counters): Counters {
  const names = Object.keys(before) as (keyof Counters)[]
  return Object.fromEntries(names.map(name => [name, now[name] - before[name]])) as unknown as Counters
}
