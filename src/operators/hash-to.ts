import type { OperatorFunction } from 'rxjs'
import { type FlowKeyOptions, FlowKeyReader } from '../headers/index.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { PacketSink } from '../packet/sink.js'
import { isAvailable, type SpreadOptions, type SpreadSink, spread } from './shared/spread.js'

/** What a flow is, and what happens when a sink is full. */
export type HashToOptions = SpreadOptions & FlowKeyOptions

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
 * a `seed`. It depends on the sinks themselves, not on their order: if a sink is removed from the list, only its flows
 * move, and a sink that is added takes its share from the others. A sink is known by its `name`, or else by the object, as
 * long as the process runs. While a sink has no running ring, its flows, and no others, go to the other sinks; they return when the ring
 * runs again. If no sink has a running ring, packets are dropped as `not-ready`, `no-device` or `gone`. A sink that is full
 * stalls the source (`block`), and so the other sinks, unless its `overflow` says to drop.
 *
 * **Leases.** The sinks take one on each packet that they queue, until their guests have room.
 *
 * A sink that throws, or has no room and is `strict`, fails the subscription; the queue has the packets that other sinks
 * were not given for the next subscription.
 *
 * @param sinks One or more. A sink can have its own policy and a name: `{ sink, overflow: 'drop-newest', name: 'ids1' }`.
 * @return Completes when the source has completed and all packets that the sinks accepted are in their rings.
 * @example
 * guest.fromGuest().pipe(hashTo([ids1.toGuest(), ids2.toGuest()], { overflow: 'drop-newest' })).subscribe()
 */
export function hashTo(
  sinks: readonly SpreadSink[],
  { overflow = 'block', ...options }: HashToOptions = {},
): OperatorFunction<Burst | Packet, never> {
  const key = new FlowKeyReader(options)
  const ids = sinks.map(idOf)
  // Rendezvous hashing: each sink has a score for the flow, and the highest score wins. A score depends on its own sink
  // alone, so that the order of the sinks and their number do not matter.
  return spread(sinks, overflow, () => (packet, outlets) => {
    const { hash } = key.of(packet)
    let [best, bestScore, first, firstScore] = [-1, -1, 0, -1]
    for (let i = 0; i < outlets.length; i++) {
      const score = mixed(hash ^ ids[i]) >>> 1
      if (score > firstScore) {
        first = i
        firstScore = score
      }
      if (score > bestScore && isAvailable(outlets[i])) {
        best = i
        bestScore = score
      }
    }
    return best < 0 ? first : best
  })
}

/** 2^32 divided by phi: the ids of consecutive numbers are far apart. */
const FAR_APART = 0x9e3779b1
const numbers = new WeakMap<PacketSink, number>()
let lastNumber = 0

/** Returns the id of a sink: the hash of its name, or else a number that the sink keeps while the process runs. */
function idOf(one: SpreadSink): number {
  const { sink, name } = 'accept' in one ? { sink: one, name: undefined } : one
  if (name !== undefined) {
    let hash = 0
    for (const character of name) hash = mixed((Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) | 0)
    return mixed(hash ^ FAR_APART)
  }
  const number = numbers.get(sink) ?? ++lastNumber
  numbers.set(sink, number)
  return mixed(Math.imul(number, FAR_APART))
}

// The finalizer of MurmurHash3: each bit of the sum affects each bit of the result.
function mixed(sum: number): number {
  let h = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
