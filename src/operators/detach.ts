import type { OperatorFunction } from 'rxjs'
import type { Burst, BurstCore } from '../packet/burst.js'
import { type DetachedBurst, type DetachedPacket, detachSlots } from '../packet/detached.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** What {@link detach} emits for a burst, or for a packet. */
export type Detached<T extends Burst | Packet> = T extends Burst ? DetachedBurst : DetachedPacket

/**
 * Copies each packet out of the pool: the copies are yours for as long as you like.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           detach()
 * result:   --(1 2 3)--------(4)--|     bursts of your own
 * ```
 *
 * A burst is copied into one piece of memory, a {@link DetachedBurst}, which makes its packet objects when you ask for
 * them. As long as one of these is referenced, the memory of its burst is, too.
 *
 * **Leases.** Takes none: the credit returns at once, so nothing slows the guest. Copies may pile up without bound before
 * something slow; `retain()` and `release()` are the bounded form.
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
