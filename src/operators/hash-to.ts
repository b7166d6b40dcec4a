import type { OperatorFunction } from 'rxjs'
import { type FlowKeyOptions, FlowKeyReader } from '../headers/index.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { isAvailable, type SpreadOptions, type SpreadSink, spread } from './shared/spread.js'

/** What a flow is, and what happens when a sink is full. */
export type HashToOptions = SpreadOptions & FlowKeyOptions

/** Added to a hash for the next choice, so that the flows of one sink are spread over all others: 2^32 divided by phi. */
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
 * result:   ------------------------|      once all are in the rings
 * ```
 *
 * `FlowKeyReader` of `rx-vhost/headers` says which flow a packet belongs to. The sink of a flow is random, unless there is
 * a `seed`. While a sink has no running ring, its flows, and no others, go to the other sinks; they return when the ring
 * runs again. If no sink has a running ring, packets are dropped as `not-ready`, `no-device` or `gone`. A sink that is full
 * stalls the source (`block`), and so the other sinks, unless its `overflow` says to drop.
 *
 * **Leases.** The sinks take one on each packet that they queue, until their guests have room.
 *
 * A sink that throws, or has no room and is `strict`, fails the subscription; the queue has the packets that other sinks
 * were not given for the next subscription.
 *
 * @param sinks One or more, each with a policy of its own if need be: `{ sink, overflow: 'drop-newest' }`.
 * @return Completes when the source has completed and all packets that the sinks accepted are in their rings.
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
    // Twice as many random choices as there are sinks nearly always find one that runs; after them, each sink is tried.
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

/** Scales the upper half of the hash to the number of sinks, without a division. */
const scaled = (hash: number, count: number): number => ((hash >>> 16) * count) >>> 16

// The finalizer of MurmurHash3: each bit of the sum affects each bit of the result.
function mixed(sum: number): number {
  let h = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
