import type { OperatorFunction } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { isAvailable, type SpreadOptions, type SpreadSink, spread } from './shared/spread.js'

/**
 * Puts packets into `sinks` in turn, one each, and emits nothing. For workers that need not see whole flows; for those
 * that do there is {@link hashTo}.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           roundRobin([a, b])
 * a:        --(1 3)
 * b:        --(2)------------(4)
 * result:   ------------------------|      once all are in the rings
 * ```
 *
 * Each sink gets its packets of a burst as one burst. A sink without a running ring is skipped; if no sink has one, they
 * take turns, and drop as `not-ready`, `no-device` or `gone`. A sink that is full stalls the source (`block`), and so the
 * other sinks, unless its `overflow` says to drop.
 *
 * **Leases.** The sinks take one on each packet that they queue, until their guests have room.
 *
 * A sink that throws, or has no room and is `strict`, fails the subscription; the queue has the packets that other sinks
 * were not given for the next subscription.
 *
 * @param sinks One or more, each with a policy of its own if need be: `{ sink, overflow: 'drop-newest' }`.
 * @return Completes when the source has completed and all packets that the sinks accepted are in their rings.
 * @example
 * guest.fromGuest().pipe(roundRobin([worker1.toGuest(), worker2.toGuest()])).subscribe()
 */
export function roundRobin(
  sinks: readonly SpreadSink[],
  { overflow = 'block' }: SpreadOptions = {},
): OperatorFunction<Burst | Packet, never> {
  return spread(sinks, overflow, () => {
    let turn = sinks.length - 1
    return (_, outlets) => {
      const first = (turn + 1) % outlets.length
      turn = first
      while (!isAvailable(outlets[turn])) {
        turn = (turn + 1) % outlets.length
        if (turn === first) break
      }
      return turn
    }
  })
}
