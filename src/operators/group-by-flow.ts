import {
  asyncScheduler,
  type GroupedObservable,
  Observable,
  type OperatorFunction,
  type SchedulerLike,
} from 'rxjs'
import type { FlowKey, FlowKeyOptions } from '../headers/index.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { GroupSubscriber } from './group-by-flow/subscriber.js'

/** What a flow is, and how many there may be for how long. */
export interface GroupByFlowOptions extends FlowKeyOptions {
  /** Flows known at one time. Default 4,096; each takes some 100 bytes, allocated at the start. */
  maxFlows?: number
  /** Milliseconds without a packet after which a flow's group completes. Default 60,000; `Infinity` for never. */
  idle?: number
  /** The clock and the timers. Default rxjs's `asyncScheduler`. */
  scheduler?: SchedulerLike
}

/** The packets of one flow. `key` is the flow, in the direction of its first packet. */
export type FlowGroup<T extends Burst | Packet = Burst> = GroupedObservable<FlowKey, T>

/**
 * Emits an Observable for each flow, with the packets of that flow.
 *
 * <span class="informal">Like rxjs `groupBy` by the 5-tuple, but for the packets inside bursts, and bounded.</span>
 *
 * ```
 * source:   --(a1 b1 a2)----(b2)-----------|
 *           groupByFlow({ idle: … })
 * result:   --(A B)------------------------|
 *   A:        (a1 a2)----------|               no packet for `idle`
 *   B:        (b1)----------(b2)-----------|
 * ```
 *
 * Both directions are one flow (`directed: true` makes them two); `FlowKeyReader` of `rx-vhost/headers` says which flow
 * a packet belongs to. A group is emitted right before its first packet: subscribe at once to get that packet. A group gets
 * its packets of a burst as one burst, in order; a burst of a single flow is emitted as it is.
 *
 * There are at most `maxFlows` groups. A new flow beyond that completes the group that had no packet for the longest time;
 * idle groups complete, too. If such a flow goes on, it begins a new group. So a guest that makes up flows can only end the
 * groups of quiet flows early.
 *
 * **Leases.** Takes none: groups borrow from the burst. Packets of a group without a subscriber are dropped, and counted as
 * `unsubscribed`.
 *
 * Groups complete and fail with the source. As with `groupBy`, the source stays subscribed while the result or any group
 * has a subscriber. Once the result has none, packets of new flows are dropped as `unsubscribed`.
 *
 * Throws a `RangeError` for a `maxFlows` or an `idle` that is not positive.
 *
 * @example
 * guest.fromGuest().pipe(groupByFlow(), mergeMap(flow => flow.pipe(count(), map(bursts => `${flow.key}: ${bursts}`))))
 */
export function groupByFlow<T extends Burst | Packet = Burst>({
  maxFlows = 4096,
  idle = 60_000,
  scheduler = asyncScheduler,
  ...options
}: GroupByFlowOptions = {}): OperatorFunction<T, FlowGroup<T>> {
  if (!(idle > 0)) throw new RangeError(`idle is more than 0 milliseconds, not ${idle}`)
  return source =>
    new Observable<FlowGroup<T>>(destination => {
      const groups = new GroupSubscriber(destination as never, options, maxFlows, idle, scheduler)
      destination.add(() => groups.left())
      source.subscribe(groups as never)
    })
}
