import { type OperatorFunction, Subscriber } from 'rxjs'
import { Burst, type HeldBurst, ownBurst } from '../packet/burst.js'
import { type HeldPacket, ownPacket, type Packet } from '../packet/packet.js'
import { operator } from './shared/operator.js'

/** The held form of a borrow. */
export type Held<T extends Burst | Packet> = T extends Burst ? HeldBurst : HeldPacket

/**
 * Takes a lease on each burst or packet, so that what follows may be asynchronous. Followed, sooner or later, by
 * `release()`, the operator or the method.
 *
 * ```
 * source:   --a---b---c--|
 *           retain(), delay(--), release()
 * result:   ----a---b---c--|
 * ```
 *
 * Without it a late use throws `ERR_VHOST_LEASE_ENDED`, as does a burst that `shareReplay` gives to a late subscriber:
 * replay `detach()`ed packets, or none.
 *
 * Stands *before* `concatMap`, `mergeMap` or `bufferCount`, never in their project function, which runs too late, and
 * *after* `share()`.
 *
 * **Leases.** One for each that it emits, owned by whoever got it. When the subscription ends, it releases those that
 * are still open: a `concatMap` buffer can't leak. When only its source completes, that waits until the subscription
 * at the end of the pipeline has ended, since `delay` still holds some. To keep one for longer, `retain()` it yourself.
 *
 * @param name Shows in `stalled` events, in debug mode.
 */
export function retain<T extends Burst | Packet = Burst>(name = 'retain()'): OperatorFunction<T, Held<T>> {
  return operator<T, Held<T>>(
    destination =>
      new RetainSubscriber(destination as Subscriber<HeldBurst | HeldPacket>, name) as Subscriber<unknown>,
  )
}

class RetainSubscriber extends Subscriber<Burst | Packet> {
  readonly #open = new Set<HeldBurst | HeldPacket>()
  #completed = false

  constructor(
    readonly out: Subscriber<HeldBurst | HeldPacket>,
    readonly name: string,
  ) {
    super(out)
    this.add(() => {
      if (!this.#completed) this.#releaseAll()
    })
  }

  /** One of ours was released. */
  released(lease: HeldBurst | HeldPacket): void {
    this.#open.delete(lease)
  }

  protected override _next(item: Burst | Packet): void {
    const held = item.retain(this.name)
    if (item instanceof Burst) ownBurst(held as HeldBurst, this as never)
    else ownPacket(held as HeldPacket, this as never)
    this.#open.add(held)
    this.out.next(held)
  }

  protected override _complete(): void {
    this.#completed = true
    if (this.#open.size > 0) lastOf(this.out as Subscriber<never>).add(() => this.#releaseAll())
    super._complete()
  }

  #releaseAll(): void {
    for (const held of [...this.#open]) held.release()
  }
}

// The subscriber at the end of the pipeline. rxjs 7 has no public way down; without one, what is open after completion
// is its holders' own affair.
function lastOf(subscriber: Subscriber<never>): Subscriber<never> {
  const { destination } = subscriber as unknown as { destination?: unknown }
  return destination instanceof Subscriber ? lastOf(destination as Subscriber<never>) : subscriber
}
