import type { OperatorFunction } from 'rxjs'
import type { Burst, BurstCore } from '../packet/burst.js'
import { type DetachedBurst, type DetachedPacket, detachSlots } from '../packet/detached.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** What {@link detach} makes of a burst, or of a packet. */
export type Detached<T extends Burst | Packet> = T extends Burst ? DetachedBurst : DetachedPacket

/**
 * Copies each packet out of the pool, to keep it for as long as you like.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           detach()
 * result:   --(1 2 3)--------(4)--|     bursts of your own
 * ```
 *
 * A burst becomes one piece of memory, a {@link DetachedBurst}; packets are objects once you ask it for them. One that you keep
 * keeps its burst's memory.
 *
 * **Leases.** Takes none: the credit returns at once, so nothing slows the guest. What follows may pile up without
 * bound; before something slow use `retain()` and `release()`, which are the bounded form.
 *
 * @example
 * guest.fromGuest().pipe(detach(), bufferTime(1000)).subscribe(bursts => save(bursts.flatMap(burst => [...burst])))
 */
export function detach<T extends Burst | Packet = Burst>(): OperatorFunction<T, Detached<T>> {
  return operator(out => new DetachSubscriber(out))
}

class DetachSubscriber extends OperatorSubscriber<DetachedBurst | DetachedPacket> {
  readonly #one = new Uint32Array(1)

  protected onBurst(_: Burst, { slots, ids, length }: BurstCore): void {
    this.out.next(detachSlots(slots, ids, length))
  }

  protected onPacket(packet: Packet): void {
    this.#one[0] = slotOf(packet)
    this.out.next(detachSlots(slotsOf(packet), this.#one, 1).packet(0))
  }
}
