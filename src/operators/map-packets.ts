import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import type { Burst, BurstCore } from '../packet/burst.js'
import { NO_SLOT, type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { cloneSlot, writablesOf, writeIn } from '../packet/rewriting.js'
import type { WritablePacket } from '../packet/writable.js'
import { lendPacket, OperatorSubscriber, operator } from './shared/operator.js'

/** How `mapPackets` goes about it. */
export interface MapPacketsOptions {
  /**
   * Rewrites the packets themselves, not copies. By this option you promise that nothing else sees the burst: no `share()`, no
   * `mirror`, no second subscriber of the queue, no lease taken before.
   */
  inPlace?: boolean
}

/**
 * Rewrites each packet by `write`.
 *
 * <span class="informal">Like rxjs `map`, but for the packets inside bursts; it edits instead of returning.</span>
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           mapPackets(p => p.setUint32(14, p.uint32(14) * 10))
 * result:   --(10 20 30)-----(40)--|
 * ```
 *
 * **Leases.** Makes a copy of each packet. The copy is charged to the queue that the packet came from, and released when
 * the `next` that emits it returns, unless it was retained. The packet itself stays as it was, and is released with its
 * burst. With `inPlace` there is no copy and no lease. Where the pool has no slot for a copy, the packet is dropped and
 * counted as `no-slot` at its queue: a burst that is being emitted can't wait. So a queue may have one burst more under
 * lease than its credit.
 *
 * If `write` throws, that packet is dropped and counted as `pipeline-error`, the packets before it are emitted, and the
 * subscription fails; with `retry()` it goes on with the next packet. After an unsubscription from inside `write` the
 * whole burst goes to the next subscription: packets that were rewritten in place are then rewritten again.
 *
 * @param write Called with each packet, which it may change until it returns.
 * @example
 * guest.fromGuest().pipe(mapPackets(p => p.set(gatewayMac)), enqueue(other.toGuest()))
 */
export function mapPackets<T extends Burst | Packet = Burst>(
  write: (packet: WritablePacket) => void,
  { inPlace = false }: MapPacketsOptions = {},
): MonoTypeOperatorFunction<T> {
  return operator(out => (inPlace ? new InPlaceSubscriber(out, write) : new MapSubscriber(out, write)))
}

class MapSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly write: (packet: WritablePacket) => void,
  ) {
    super(out)
  }

  protected onBurst(_: Burst, input: BurstCore): void {
    const core = this.take(input)
    if (core.copied === null || core.copied.length < core.ids.length)
      core.copied = new Uint32Array(core.ids.length)
    const { out, write } = this
    const { slots } = input
    // Emitting sets the core's length to 0, and leaves its ids as they are until the copies are released.
    const made = this.#copy(input, core)
    const list = writablesOf(slots)
    let at = 0
    try {
      for (; at < made && !out.closed; at++) writeIn(slots, list, core.ids[at], write)
      core.length = at
    } catch (error) {
      core.length = at
      this.fail(error, input, input.ids.indexOf(core.copied[at]), core)
      slots.releaseAll(core.ids, 0, made)
      return
    }
    try {
      if (out.closed) this.stop(input, at, core)
      else this.emit(core)
    } finally {
      slots.releaseAll(core.ids, 0, made)
    }
  }

  protected onPacket(packet: Packet): void {
    const slots = slotsOf(packet)
    const slot = slotOf(packet)
    const clone = cloneSlot(slots, slot)
    if (clone === NO_SLOT) {
      slots.dropped(slot, 'no-slot')
      return
    }
    try {
      writeIn(slots, writablesOf(slots), clone, this.write)
    } catch (error) {
      slots.release(clone)
      this.failPacket(error)
      return
    }
    lendPacket(slots, clone, this.out)
  }

  // Copies all packets before the first is rewritten, so that their slots are near each other. Returns how many were
  // copied: a packet for whose copy there is no slot is dropped.
  #copy(input: BurstCore, core: BurstCore): number {
    const copied = core.copied as Uint32Array
    let made = 0
    for (let i = 0; i < input.length; i++) {
      const clone = cloneSlot(input.slots, input.ids[i])
      if (clone === NO_SLOT) {
        input.slots.dropped(input.ids[i], 'no-slot')
        continue
      }
      core.ids[made] = clone
      copied[made++] = input.ids[i]
    }
    return made
  }
}

class InPlaceSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly write: (packet: WritablePacket) => void,
  ) {
    super(out)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { out, write } = this
    const { slots } = input
    const list = writablesOf(slots)
    let at = 0
    try {
      for (; at < input.length && !out.closed; at++) writeIn(slots, list, input.ids[at], write)
    } catch (error) {
      this.fail(error, input, at)
      return
    }
    if (out.closed) this.stop(input, at)
    else out.next(burst)
  }

  protected onPacket(packet: Packet): void {
    const slots = slotsOf(packet)
    try {
      writeIn(slots, writablesOf(slots), slotOf(packet), this.write)
    } catch (error) {
      this.failPacket(error)
      return
    }
    this.out.next(packet)
  }
}
