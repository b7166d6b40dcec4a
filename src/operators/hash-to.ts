import type { OperatorFunction } from 'rxjs'
import { type FlowKeyOptions, FlowKeyReader } from '../headers/index.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { isAvailable, type SpreadOptions, type SpreadSink, spread } from './shared/spread.js'

/** How flows are told apart, and what happens when a sink is full. */
export type HashToOptions = SpreadOptions & FlowKeyOptions

/** What is added to a hash for the next choice, so that the flows of one sink are spread over all others: 2^32 by phi. */
const NEXT_CHOICE = 0x9e3779b1 | 0

/**
 * Puts packets into `sinks` by their flow, and emits nothing: all packets of a flow, in both directions, go to the same
 * sink, in order.
 *
 * ```
 * source:   --(a1 b1 a2)-----(b2)--|       flows a and b
 *           hashTo([x, y])
 * x:        --(a1 a2)
 * y:        --(b1)-----------(b2)
 * result:   ------------------------|      once both took all
 * ```
 *
 * Which flow a packet belongs to: `FlowKeyReader` of `rx-vhost/headers`. Which sink a flow gets is random, unless there is
 * a `seed`. While a sink has no running ring its flows, and no others, go to the other sinks, and come back with the ring;
 * with none left they are dropped as `not-ready`, `no-device` or `gone`. A sink that is full for the moment is waited for
 * (`block`, which stalls the source and so the other sinks, too), unless its `overflow` says to drop.
 *
 * **Leases.** The sinks take one on each packet that they keep, until their guests have room.
 *
 * A sink that throws, or has no room and is `strict`, fails the subscription; packets of other sinks that were not given
 * yet stay with the queue.
 *
 * @param sinks One or more, each with a policy of its own if need be: `{ sink, overflow: 'drop-newest' }`.
 * @return Completes when the source has completed and every sink took all that it accepted.
 * @example
 * guest.fromGuest().pipe(hashTo([ids1.toGuest(), ids2.toGuest()], { overflow: 'drop-newest' })).subscribe()
 */
export function hashTo(
  sinks: readonly SpreadSink[],
  { overflow = 'block', ...options }: HashToOptions = {},
): OperatorFunction<Burst | Packet, never> {
  const key = new FlowKeyReader(options)
  return spread(sinks, overflow, () => (packet, outlets) => {
    const { hash } = key.of(packet)
    const first = scaled(hash, outlets.length)
    let choice = first
    // Twice as many tries as there are sinks find one of those that run nearly always; then in turn.
    for (let again = 1; !isAvailable(outlets[choice]); again++) {
      if (again > 3 * outlets.length) return first
      choice =
        again <= 2 * outlets.length
          ? scaled(mixed((hash + Math.imul(again, NEXT_CHOICE)) | 0), outlets.length)
          : again % outlets.length
    }
    return choice
  })
}

/** The upper half of the hash scaled to the number of sinks: no division. */
const scaled = (hash: number, count: number): number => ((hash >>> 16) * count) >>> 16

// The finalizer of MurmurHash3: every bit of a sum reaches every bit of the result.
function mixed(sum: number): number {
  let h = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
