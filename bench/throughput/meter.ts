// What the back end under test has done so far: the native counters of its rings, and what the event loop and the
// collector did meanwhile. Looks at rings beside the library, through handles of its own.
import { type IntervalHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { STAT_NAMES } from '../../src/data/counters.js'
import { dataPlane } from '../../src/data/env.js'
import { native } from '../../src/native.js'

/** The same words as the reference back end's. */
export interface Counters {
  dequeued: number
  enqueued: number
  dequeues: number
  idleDequeues: number
  enqueues: number
  idleEnqueues: number
}

export interface Sample extends Counters {
  ns: number
  /** Of the event loop, which the reference has not: how often it had its turn, and the longest that it waited. */
  turns?: number
  longestTurnMs?: number
  gcs?: number
  longestGcMs?: number
}

const PACKETS = STAT_NAMES.indexOf('packets')
const BURSTS = STAT_NAMES.indexOf('bursts')
const IDLE = STAT_NAMES.indexOf('idle-bursts')
const TO_GUEST = 0
const FROM_GUEST = 1

export class Meter {
  /** Turns of loops that are not the scheduler's. */
  readonly loops = { turns: 0 }
  readonly #handles: { ring: number; handle: number }[] = []
  readonly #stats = new Float64Array(STAT_NAMES.length)
  readonly #gcs: number[] = []
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 })
  #from: Counters | undefined
  #began = 0
  #turnsBefore = 0

  constructor() {
    const observer = new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) this.#gcs.push(duration)
    })
    observer.observe({ entryTypes: ['gc'] })
  }

  watch(device: number): void {
    for (const ring of [TO_GUEST, FROM_GUEST])
      this.#handles.push({ ring, handle: native().queueOpen(device, ring, 0) })
  }

  counters(): Counters {
    const sums = { dequeued: 0, enqueued: 0, dequeues: 0, idleDequeues: 0, enqueues: 0, idleEnqueues: 0 }
    for (const { ring, handle } of this.#handles) {
      native().queueStats(handle, this.#stats)
      const [packets, bursts, idle] = [PACKETS, BURSTS, IDLE].map(at => this.#stats[at])
      if (ring === FROM_GUEST) {
        sums.dequeued += packets
        sums.dequeues += bursts
        sums.idleDequeues += idle
      } else {
        sums.enqueued += packets
        sums.enqueues += bursts
        sums.idleEnqueues += idle
      }
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
