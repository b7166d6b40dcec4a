import {
  asyncScheduler,
  interval as every,
  type MonoTypeOperatorFunction,
  type Observer,
  type SchedulerLike,
  type Subscriber,
} from 'rxjs'
import type { FlowKeyOptions } from '../headers/index.js'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { FlowMeter, type FlowRecord, type FlowReport } from './measure-flows/meter.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** How often `measureFlows` reports, and when it ends the record of a flow. */
export interface MeasureFlowsOptions extends FlowKeyOptions {
  /** Milliseconds between reports. Default 1,000. */
  interval?: number
  /** Milliseconds without a packet after which a flow has ended. Default 15,000. */
  idleTimeout?: number
  /** Milliseconds after which the record of a flow that goes on ends, and a new one begins. Default 1,800,000. */
  activeTimeout?: number
  /** Flows known at one time. Default 4,096; each takes some 100 bytes from the start. */
  maxFlows?: number
  /** The clock and the timers. Default rxjs's `asyncScheduler`. */
  scheduler?: SchedulerLike
}

/**
 * Reports to `observer`, at an interval, the packets and bytes of each flow. Emits everything as it came.
 *
 * ```
 * source:   --(a1 b1 a2)-----(b2)----------|
 *           measureFlows(r => …)
 * observer: ------x--------------x---------z|
 * result:   --(a1 b1 a2)-----(b2)----------|
 * ```
 *
 * A report has the flows that go on, with packets, bytes, times and TCP's control bits, and the records that ended since
 * the last report, as NetFlow and IPFIX export them. A record ends when its flow had no packet for `idleTimeout`, when it is
 * older than `activeTimeout` (a new record then begins at zero), when a new flow evicts it from a full table, or with the
 * source. So each packet is in exactly one ended record, if the stream completes. An observer, such as a Subject, also gets
 * the source's completion or error.
 *
 * Each direction is a flow, as in NetFlow; with `directed: false` both are one. `FlowKeyReader` of `rx-vhost/headers` says
 * which flow a packet belongs to. Each subscription counts from zero.
 *
 * **Leases.** Takes none.
 *
 * If `observer` throws, the subscription fails. Throws a `RangeError` for a time that is not positive.
 *
 * @param observer Called for each report, between bursts.
 * @example
 * guest.fromGuest().pipe(
 *   measureFlows(({ flows }) => console.table(topFlows(flows, 10).map(f => [`${f.key}`, f.bytes]))),
 *   enqueue(other.toGuest()),
 * )
 */
export function measureFlows<T extends Burst | Packet = Burst>(
  observer: Partial<Observer<FlowReport>> | ((report: FlowReport) => void),
  {
    interval = 1000,
    idleTimeout = 15_000,
    activeTimeout = 1_800_000,
    maxFlows = 4096,
    scheduler = asyncScheduler,
    ...options
  }: MeasureFlowsOptions = {},
): MonoTypeOperatorFunction<T> {
  for (const [name, ms] of Object.entries({ interval, idleTimeout, activeTimeout }))
    if (!(ms > 0)) throw new RangeError(`${name} is more than 0 milliseconds, not ${ms}`)
  const told = typeof observer === 'function' ? { next: observer } : observer
  return operator(out => {
    const meter = new FlowMeter({ directed: true, ...options }, maxFlows)
    const subscriber = new MeasureFlowsSubscriber(out, meter, told, scheduler)
    const tell = (): void => subscriber.tell(() => meter.report(idleTimeout, activeTimeout))
    subscriber.add(every(interval, scheduler).subscribe(tell))
    return subscriber
  })
}

/** The `count` flows that have most `bytes`, or `packets`, those with most first. */
export const topFlows = <F extends FlowRecord>(
  flows: readonly F[],
  count: number,
  by: 'bytes' | 'packets' = 'bytes',
): F[] => [...flows].sort((a, b) => b[by] - a[by]).slice(0, count)

class MeasureFlowsSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly meter: FlowMeter,
    readonly observer: Partial<Observer<FlowReport>>,
    readonly scheduler: SchedulerLike,
  ) {
    super(out)
  }

  tell(report: () => FlowReport): void {
    this.meter.tick(this.scheduler.now())
    try {
      this.observer.next?.(report())
    } catch (error) {
      this.out.error(error)
    }
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { meter } = this
    meter.tick(this.scheduler.now())
    for (let i = 0; i < input.length; i++) meter.count(packetAt(input, i))
    this.out.next(burst)
  }

  protected onPacket(packet: Packet): void {
    this.meter.tick(this.scheduler.now())
    this.meter.count(packet)
    this.out.next(packet)
  }

  protected override onError(error: unknown): void {
    this.tell(() => this.meter.end())
    this.observer.error?.(error)
    this.out.error(error)
  }

  protected override onComplete(): void {
    this.tell(() => this.meter.end())
    this.observer.complete?.()
    this.out.complete()
  }
}
