import { type OperatorFunction, Subscriber } from 'rxjs'
import { Burst, coreOf } from '../packet/burst.js'
import { type DetachedBurst, type DetachedPacket, detachSlots } from '../packet/detached.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { operator } from './shared/operator.js'

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
  return operator<T, Detached<T>>(
    destination =>
      new DetachSubscriber(destination as Subscriber<DetachedBurst | DetachedPacket>) as Subscriber<unknown>,
  )
}

class DetachSubscriber extends Subscriber<Burst | Packet> {
  readonly #one = new Uint32Array(1)

  constructor(readonly out: Subscriber<DetachedBurst | DetachedPacket>) {
    super(out)
  }

  protected override _next(item: Burst | Packet): void {
    if (item instanceof Burst) {
      const { slots, ids, length } = coreOf(item)
      this.out.next(detachSlots(slots, ids, length))
    } else {
      this.#one[0] = slotOf(item)
      this.out.next(detachSlots(slotsOf(item), this.#one, 1).packet(0))
    }
  }
}
