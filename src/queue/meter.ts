// What reads the statistics of one queue, device or driver for its users: now, since the last reset, or at intervals.
// Resetting and measuring touch no counter: each meter remembers what it subtracts, so that two of them never disturb each
// other.
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
  /** Of frames, without what Ethernet adds on the wire. */
  readonly bits: number
  /** Packets dropped, for whatever reason. */
  readonly drops: number
  /** Calls: times that the guest was notified. */
  readonly notifications: number
  /** Kicks of the guest that were noticed. */
  readonly kicks: number
}

/** The statistics at the end of an interval, and of the interval. */
export interface StatsChange<S> {
  /** As the getter `stats` gives them at that moment. */
  readonly total: S
  /** Counted in this interval only; `held` is what is held at its end, percentiles and `burstFill` are the interval's. */
  readonly change: S
  /** `change` per second of the interval. */
  readonly perSecond: StatsRates
}

/** When an interval ended, and how long it was. */
export interface StatsTime {
  /** By the scheduler's clock, in milliseconds. */
  readonly time: number
  /** How long the interval really was: a late timer makes it longer. */
  readonly seconds: number
}

/** An emission of `stats$()` of a queue or a sink. */
export interface StatsSample<S extends QueueStats> extends StatsTime, StatsChange<S> {}

/** An emission of `stats$()` of a device or a driver. */
export interface DeviceStatsSample extends StatsTime {
  /** Of all queues out of the guest, together. */
  readonly fromGuest: StatsChange<SourceStats>
  /** Of all ways into the guest, together. */
  readonly toGuest: StatsChange<SinkStats>
}

// Emits what `sample` makes of the totals before and after each interval.
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
        // The clock of rxjs' own schedulers is the wall's, which may be set back.
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

  // Made when somebody asks: most devices and drivers are never measured.

  get #fromGuest(): QueueMeter<SourceStats> {
    this.#source ??= new QueueMeter({ totals: () => this.#of.sourceTotals() }, sourceStats)
    return this.#source
  }

  get #toGuest(): QueueMeter<SinkStats> {
    this.#sink ??= new QueueMeter({ totals: () => this.#of.sinkTotals() }, sinkStats)
    return this.#sink
  }
}
