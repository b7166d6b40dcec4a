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

/** How flows are told apart, how many there may be, and for how long. */
export interface GroupByFlowOptions extends FlowKeyOptions {
  /** Flows known at one time. Default 4,096; each takes some 100 bytes from the start. */
  maxFlows?: number
  /** Milliseconds without a packet after which a flow's group completes. Default 60,000; `Infinity` for never. */
  idle?: number
  /** Keeps the time. Default rxjs's `asyncScheduler`. */
  scheduler?: SchedulerLike
}

/** The packets of one flow; `key` says which, as its first packet went. */
export type FlowGroup<T extends Burst | Packet = Burst> = GroupedObservable<FlowKey, T>

/**
 * Gives the packets of each flow an Observable of their own.
 *
 * <span class="informal">Like rxjs `groupBy` by the 5-tuple, but for the packets inside bursts, and bounded.</span>
 *
 * ```
 * source:   --(a1 b1 a2)----(b2)-----------|
 *           groupByFlow({ idle: … })
 * result:   --(A B)------------------------|
 *   A:        (a1 a2)----------|               idle for too long
 *   B:        (b1)----------(b2)-----------|
 * ```
 *
 * Both directions are one flow (`directed: true` makes them two); `FlowKeyReader` of `rx-vhost/headers` says which packet
 * belongs to which. A group is emitted with its first packet: subscribe at once, or miss it. Of a burst each flow gets its
 * packets as one burst, in order; a burst of one flow passes as it is.
 *
 * There are at most `maxFlows` groups: one more, and the group that had no packet for the longest time completes, as do
 * those that are idle. A flow that goes on after that begins a new group. A guest that makes up flows so shortens the lives
 * of quiet ones, and no more.
 *
 * **Leases.** Takes none: groups borrow from the burst. Packets of a group that nobody is subscribed to are dropped,
 * counted as `unsubscribed`.
 *
 * Groups complete and fail with the source. As with `groupBy`, the source stays subscribed while someone is subscribed to
 * the result or to any group; new flows are dropped as `unsubscribed` once nobody is to the result.
 *
 * Throws a `RangeError` for a number of flows or a time that is none.
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
