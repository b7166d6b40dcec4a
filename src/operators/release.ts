import type { OperatorFunction, Subscriber } from 'rxjs'
import { type Burst, borrow, coreOf, endBorrow, HeldBurst, isOpen } from '../packet/burst.js'
import {
  borrowPacket,
  endPacket,
  type HeldPacket,
  isOpenPacket,
  type Packet,
  slotOf,
  slotsOf,
} from '../packet/packet.js'
import { countLost, operator, SourceSubscriber } from './shared/operator.js'

/** The borrowed form of a lease. */
export type Borrowed<T extends HeldBurst | HeldPacket> = T extends HeldBurst ? Burst : Packet

/**
 * Ends what {@link retain} began: emits each lease as a borrow, and releases it when that `next` returns.
 *
 * ```
 * source:   --a---b---c--|
 *           retain(), delay(--), release()
 * result:   ----a---b---c--|
 * ```
 *
 * **Leases.** Releases each lease exactly once. What it emits is valid until that `next` returns, as if it came from the
 * queue. If an operator downstream throws half-way through a burst, the rest of the burst is dropped, and counted as
 * `unsubscribed`: filter before `retain()` where predicates may throw.
 */
export function release<T extends HeldBurst | HeldPacket = HeldBurst>(): OperatorFunction<T, Borrowed<T>> {
  return operator(out => new ReleaseSubscriber(out))
}

class ReleaseSubscriber extends SourceSubscriber<HeldBurst | HeldPacket> {
  constructor(readonly out: Subscriber<Burst | Packet>) {
    super()
    out.add(this)
  }

  next(held: HeldBurst | HeldPacket): void {
    if (this.stopped) return
    if (held instanceof HeldBurst) this.#burst(held)
    else this.#packet(held)
  }

  protected onError(error: unknown): void {
    this.out.error(error)
  }

  protected onComplete(): void {
    this.out.complete()
  }

  #burst(held: HeldBurst): void {
    const core = coreOf(held)
    const burst = borrow(core)
    core.cut = -1
    try {
      this.out.next(burst)
    } finally {
      endBorrow(burst)
      countLost(core, this.out.closed)
      if (isOpen(held)) held.release()
    }
  }

  #packet(held: HeldPacket): void {
    const slots = slotsOf(held)
    const packet = borrowPacket(slots, slotOf(held))
    try {
      this.out.next(packet)
    } finally {
      if (slots.strict) endPacket(packet)
      if (isOpenPacket(held)) held.release()
    }
  }
}
