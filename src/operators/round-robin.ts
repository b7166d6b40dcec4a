import type { OperatorFunction } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { isAvailable, type SpreadOptions, type SpreadSink, spread } from './shared/spread.js'

/**
 * Puts packets into `sinks` in turn, one each, and emits nothing. For workers that need not see whole flows; where they
 * do, {@link hashTo}.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           roundRobin([a, b])
 * a:        --(1 3)
 * b:        --(2)------------(4)
 * result:   ------------------------|      once both took all
 * ```
 *
 * Of a burst each sink gets its packets as one burst. A sink without a running ring is passed over; with no other left
 * it gets its turn, and drops as `not-ready`, `no-device` or `gone`. A sink that is full for the moment is waited for
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
