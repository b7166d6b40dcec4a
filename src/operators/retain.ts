import { type OperatorFunction, type Subscriber, Subscription } from 'rxjs'
import { type Burst, type HeldBurst, ownBurst } from '../packet/burst.js'
import { type HeldPacket, ownPacket, type Packet } from '../packet/packet.js'
import { OperatorSubscriber, operator, SourceSubscriber } from './shared/operator.js'

/** The held form of a borrow. */
export type Held<T extends Burst | Packet> = T extends Burst ? HeldBurst : HeldPacket

/**
 * Takes a lease on each burst or packet, so that the next operators may be asynchronous. `release()`, the operator or the
 * method, must follow.
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
 * **Leases.** One for each burst or packet that it emits, owned by the receiver. When the subscription ends, it releases
 * those that are still open, so a `concatMap` buffer can't leak. When only its source completes, it does so once the
 * subscription at the end of the pipeline has ended, since `delay` may hold some until then. To hold a packet for longer,
 * call `retain()` on it.
 *
 * @param name Shows in `stalled` events, in debug mode.
 */
export function retain<T extends Burst | Packet = Burst>(name = 'retain()'): OperatorFunction<T, Held<T>> {
  return operator(out => new RetainSubscriber(out, name))
}

class RetainSubscriber extends OperatorSubscriber<HeldBurst | HeldPacket> {
  readonly #open = new Set<HeldBurst | HeldPacket>()
  #completed = false

  constructor(
    out: Subscriber<HeldBurst | HeldPacket>,
    readonly name: string,
  ) {
    super(out)
    this.add(() => {
      if (!this.#completed) this.#releaseAll()
    })
  }

  /** A lease that this operator emitted was released. */
  released(lease: HeldBurst | HeldPacket): void {
    this.#open.delete(lease)
  }

  protected onBurst(burst: Burst): void {
    const held = burst.retain(this.name)
    ownBurst(held, this)
    this.#emit(held)
  }

  protected onPacket(packet: Packet): void {
    const held = packet.retain(this.name)
    ownPacket(held, this)
    this.#emit(held)
  }

  protected override onComplete(): void {
    this.#completed = true
    if (this.#open.size > 0) lastOf(this.out).add(() => this.#releaseAll())
    this.out.complete()
  }

  #emit(held: HeldBurst | HeldPacket): void {
    this.#open.add(held)
    this.out.next(held)
  }

  #releaseAll(): void {
    for (const held of [...this.#open]) held.release()
  }
}

// The subscriber at the end of the pipeline. rxjs 7 has no public way there: without the private one, leases that are open
// after completion are left to their holders.
function lastOf(subscriber: Subscription): Subscription {
  const { destination, out } = subscriber as { destination?: unknown; out?: unknown }
  const next = subscriber instanceof SourceSubscriber ? out : destination
  return next instanceof Subscription ? lastOf(next) : subscriber
}
