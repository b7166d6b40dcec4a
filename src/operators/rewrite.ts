import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { HeaderReader } from '../headers/reader.js'
import { HeaderWriter } from '../headers/writer.js'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { NO_SLOT, type Packet, type Slots, slotOf, slotsOf } from '../packet/packet.js'
import { cloneSlot, writablesOf, writeIn } from '../packet/rewriting.js'
import type { WritablePacket } from '../packet/writable.js'
import { RewritePlan, type RewriteSpec } from './rewrite/plan.js'
import { lendPacket, OperatorSubscriber, operator } from './shared/operator.js'

/** How `rewrite` works. */
export interface RewriteOptions {
  /**
   * Rewrites the packets themselves, not copies. By this option you promise that nothing else sees the burst: no `share()`, no
   * `mirror`, no second subscriber of the queue, no lease taken before.
   */
  inPlace?: boolean
}

/**
 * Changes headers: MAC addresses, VLAN tags, the time to live, and the addresses and ports of either end.
 *
 * ```
 * source:   --(10.0.0.2:5000>)----(10.0.0.3:5000>)--|
 *           rewrite(packet => table.get(packet.uint32(26)))     which has { source: { address, port } } for 10.0.0.2
 * result:   --(192.0.2.1:40000>)--(10.0.0.3:5000>)--|
 * ```
 *
 * All checksums are updated incrementally (RFC 1624), also in packets with segmentation offload, and also a checksum that
 * the guest left to be computed, whose field has the sum of the pseudo-header. A UDP checksum of zero stays zero. Pushing or
 * popping a tag also adjusts the offsets in the virtio-net header. Only outer headers are changed, not the headers that an
 * ICMP error quotes.
 *
 * With `decrementTtl` a packet whose time to live (hop limit) is 1 or 0 is dropped, and counted as `ttl-expired`, without an
 * ICMP error to its sender. Packets that are not IP are not affected.
 *
 * A function gets each packet and returns the changes to make in it, or `undefined` for none; use one for NAT, whose changes
 * depend on the flow. A spec is checked and converted once for each object: keep one object for each flow, and do not alter
 * it.
 *
 * **Leases.** Makes a copy of each packet that it changes, as `mapPackets` does: charged to the queue that the packet came
 * from, and released when the `next` that emits it returns. So another branch, or a mirror, still sees the original. With
 * `inPlace` there is no copy and no lease. Where the pool has no slot for a copy, the packet is dropped, and counted as
 * `no-slot`.
 *
 * If the function throws, or returns a spec that is not valid, that packet is dropped and counted as `pipeline-error`, the
 * packets before it are emitted, and the subscription fails; with `retry()` it goes on with the next packet.
 *
 * @param spec Throws at the call: a `TypeError` for a text that is no address, a `RangeError` for a number too large for its field.
 * @example
 * guest.fromGuest().pipe(rewrite({ destinationMac: gateway, decrementTtl: true, pushVlan: { identifier: 7 } }), enqueue(uplink))
 */
export function rewrite<T extends Burst | Packet = Burst>(
  spec: RewriteSpec | ((packet: Packet) => RewriteSpec | undefined),
  { inPlace = false }: RewriteOptions = {},
): MonoTypeOperatorFunction<T> {
  const fixed = typeof spec === 'function' ? null : new RewritePlan(spec)
  const planOf = typeof spec === 'function' ? (packet: Packet) => planFor(spec(packet)) : () => fixed
  return operator(out => new RewriteSubscriber(out, planOf, inPlace))
}

// By the object, which lives as long as its flow.
const plans = new WeakMap<RewriteSpec, RewritePlan>()

function planFor(spec: RewriteSpec | undefined): RewritePlan | null {
  if (spec === undefined) return null
  let plan = plans.get(spec)
  if (plan === undefined) {
    plan = new RewritePlan(spec)
    plans.set(spec, plan)
  }
  return plan
}

class RewriteSubscriber extends OperatorSubscriber {
  readonly #reader = new HeaderReader()
  readonly #writer = new HeaderWriter()
  #plan: RewritePlan | null = null
  readonly #write = (packet: WritablePacket): void => this.#plan?.write(packet, this.#writer)

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly planOf: (packet: Packet) => RewritePlan | null,
    readonly inPlace: boolean,
  ) {
    super(out)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const core = this.take(input)
    const { out, inPlace } = this
    const { slots, ids, length } = input
    // The packet that each result was made from.
    const from = core.copied !== null && core.copied.length >= length ? core.copied : new Uint32Array(length)
    core.copied = from
    let at = 0
    let made = 0
    let failure: { error: unknown } | undefined
    try {
      for (; at < length && !out.closed; at++) {
        const slot = this.#rewrite(slots, ids[at], packetAt(input, at))
        if (slot === NO_SLOT) continue
        core.ids[made] = slot
        from[made++] = ids[at]
      }
    } catch (error) {
      failure = { error }
    }
    core.length = made
    try {
      if (failure !== undefined) this.fail(failure.error, input, at, core)
      else if (out.closed) this.stop(input, at, core)
      else if (inPlace) this.pass(core, burst, input)
      else this.emit(core)
    } finally {
      if (!inPlace) slots.releaseAll(core.ids, 0, made)
    }
  }

  protected onPacket(packet: Packet): void {
    const slots = slotsOf(packet)
    let slot: number
    try {
      slot = this.#rewrite(slots, slotOf(packet), packet)
    } catch (error) {
      this.failPacket(error)
      return
    }
    if (slot === NO_SLOT) return
    if (this.inPlace) this.out.next(packet)
    else lendPacket(slots, slot, this.out)
  }

  // The slot of the result, with a lease of ours unless it was rewritten in place. NO_SLOT: the packet was dropped.
  #rewrite(slots: Slots, slot: number, packet: Packet): number {
    const plan = this.planOf(packet)
    const { inPlace } = this
    if (plan === null) {
      if (!inPlace) slots.retain(slot)
      return slot
    }
    if (plan.expires(this.#reader.of(packet))) {
      slots.dropped(slot, 'ttl-expired')
      return NO_SLOT
    }
    const target = inPlace ? slot : cloneSlot(slots, slot)
    if (target === NO_SLOT) {
      slots.dropped(slot, 'no-slot')
      return NO_SLOT
    }
    this.#plan = plan
    try {
      writeIn(slots, writablesOf(slots), target, this.#write)
    } catch (error) {
      if (!inPlace) slots.release(target)
      throw error
    }
    return target
  }
}
