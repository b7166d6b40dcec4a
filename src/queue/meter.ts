// Reads the statistics of a queue, a device or a driver for users: the current values since the last reset, and samples at
// intervals. A meter never writes to a counter. A reset stores the current values, which later readings subtract, so that two
// meters do not affect each other.
import { asyncScheduler, defer, interval, map, type Observable, type SchedulerLike } from 'rxjs'
import { NO_TOTALS, type Totals, type TotalsOfBoth, totalsSince } from '../data/counters/totals.js'
import type { DeviceStats, QueueStats, SinkStats, SourceStats } from './stats.js'
import { sinkStats, sourceStats } from './stats.js'

/** Interval of `stats$()`, in milliseconds, unless asked otherwise. */
export const STATS_INTERVAL_MS = 1000

/** What happened per second of an interval. */
export interface StatsRates {
  /** Packets moved. */
  readonly packets: number
  /** Bits of frames, without preamble, checksum and gap of Ethernet. */
  readonly bits: number
  /** Packets dropped, for any reason. */
  readonly drops: number
  /** Notifications to the guest (calls). */
  readonly notifications: number
  /** Kicks of the guest that were seen. */
  readonly kicks: number
}

/** The statistics at the end of an interval, and their change in the interval. */
export interface StatsChange<S> {
  /** What the getter `stats` returns at the end of the interval. */
  readonly total: S
  /** What was counted in this interval. `held` is the value at its end; percentiles and `burstFill` are of the interval. */
  readonly change: S
  /** `change` per second of the interval. */
  readonly perSecond: StatsRates
}

/** The end and the length of an interval. */
export interface StatsTime {
  /** The end, in milliseconds of the scheduler's clock. */
  readonly time: number
  /** The measured length in seconds: a late timer makes an interval longer. */
  readonly seconds: number
}

/** An emission of `stats$()` of a queue or a sink. */
export interface StatsSample<S extends QueueStats> extends StatsTime, StatsChange<S> {}

/** An emission of `stats$()` of a device or a driver. */
export interface DeviceStatsSample extends StatsTime {
  /** Of all from-guest queues together. */
  readonly fromGuest: StatsChange<SourceStats>
  /** Of all to-guest queues together. */
  readonly toGuest: StatsChange<SinkStats>
}

/** Emits `sample` of the readings at the beginning and at the end of each interval. */
function every<T, R extends object>(
  read: () => T,
  sample: (before: T, now: T, seconds: number) => R,
  ms: number,
  scheduler: SchedulerLike,
): Observable<StatsTime & R> {
  if (!(ms > 0)) throw new RangeError('the interval of stats$ must be a positive number of milliseconds')
  return defer(() => {
    let before = read()
    let time = scheduler.now()
    return interval(ms, scheduler).pipe(
      map(() => {
        const [last, lastTime] = [before, time]
        before = read()
        time = scheduler.now()
        // The schedulers of rxjs use the wall clock, which may be set back.
        const seconds = (time > lastTime ? time - lastTime : ms) / 1000
        return { time, seconds, ...sample(last, before, seconds) }
      }),
    )
  })
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** @internal */
export class QueueMeter<S extends QueueStats> {
  readonly #of: { totals(): Totals }
  readonly #show: (totals: Totals) => S
  #reset: Totals = NO_TOTALS

  constructor(of: { totals(): Totals }, show: (totals: Totals) => S) {
    this.#of = of
    this.#show = show
  }

  /** Since the last reset. */
  now(): S {
    return this.#show(totalsSince(this.#reset, this.read()))
  }

  reset(): void {
    this.#reset = this.read()
  }

  every(ms = STATS_INTERVAL_MS, scheduler: SchedulerLike = asyncScheduler): Observable<StatsSample<S>> {
    return every(
      () => this.read(),
      (before, now, seconds) => this.change(before, now, seconds),
      ms,
      scheduler,
    )
  }

  read(): Totals {
    return this.#of.totals()
  }

  change(before: Totals, now: Totals, seconds: number): StatsChange<S> {
    const change = this.#show(totalsSince(before, now))
    return {
      total: this.#show(totalsSince(this.#reset, now)),
      change,
      perSecond: {
        packets: change.good_packets / seconds,
        bits: (change.good_bytes * 8) / seconds,
        drops: sumOf(change.drops) / seconds,
        notifications: change.guest_notifications / seconds,
        kicks: change.kicks / seconds,
      },
    }
  }
}

/** @internal */
export class DeviceMeter {
  readonly #of: TotalsOfBoth
  #source: QueueMeter<SourceStats> | undefined
  #sink: QueueMeter<SinkStats> | undefined

  constructor(of: TotalsOfBoth) {
    this.#of = of
  }

  now(): DeviceStats {
    return { fromGuest: this.#fromGuest.now(), toGuest: this.#toGuest.now() }
  }

  reset(): void {
    this.#fromGuest.reset()
    this.#toGuest.reset()
  }

  every(ms = STATS_INTERVAL_MS, scheduler: SchedulerLike = asyncScheduler): Observable<DeviceStatsSample> {
    return every(
      () => [this.#fromGuest.read(), this.#toGuest.read()] as const,
      (before, now, seconds) => ({
        fromGuest: this.#fromGuest.change(before[0], now[0], seconds),
        toGuest: this.#toGuest.change(before[1], now[1], seconds),
      }),
      ms,
      scheduler,
    )
  }

  // Made at first use: most devices and drivers are never measured.

  get #fromGuest(): QueueMeter<SourceStats> {
    this.#source ??= new QueueMeter({ totals: () => this.#of.sourceTotals() }, sourceStats)
    return this.#source
  }

  get #toGuest(): QueueMeter<SinkStats> {
    this.#sink ??= new QueueMeter({ totals: () => this.#of.sinkTotals() }, sinkStats)
    return this.#sink
  }
}
