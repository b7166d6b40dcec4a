// A packet as JavaScript sees it, borrowed (`Packet`) or held (`HeldPacket`). Below every operator and the data plane's
// queues; what both forms can do is in view.ts. It knows no queue.
import { VhostError } from '../errors.js'
import type { Slots } from './slots.js'
import { endPacket, PacketView, slotOf, slotsOf } from './view.js'

export { PacketHeader } from './header.js'
export * from './slots.js'
export { aim, endPacket, isOpenPacket, slotOf, slotsOf } from './view.js'

/** @internal */
export let ownPacket: (packet: HeldPacket, owner: { released(lease: object): void }) => void

/**
 * A borrowed packet: valid until the `next` or callback that it was given to returns, and read-only. Copy what you
 * need, or `retain()` it. A late use throws `ERR_VHOST_LEASE_ENDED`: always in strict mode, otherwise until the slot
 * has its next packet.
 */
export class Packet extends PacketView {
  // Keeps a held packet from passing for a borrowed one in the type system.
  declare private readonly lease: 'borrowed'

  /** A lease of your own on the packet. Its credit returns when you release it. `name` shows in `stalled` events. */
  retain(name?: string): HeldPacket {
    return holdPacket(slotsOf(this), slotOf(this), name)
  }

  protected late(): never {
    throw new VhostError(
      'ERR_VHOST_LEASE_ENDED',
      'the packet was borrowed, and is used after its next returned',
      {
        fix: 'copy what you need, or retain() the packet and release() it',
      },
    )
  }
}

/** A packet with one owner, who releases it. Any use after that throws `ERR_VHOST_LEASE_RELEASED`. */
export class HeldPacket extends PacketView {
  declare private readonly lease: 'held'
  #owner: { released(lease: object): void } | null = null

  static {
    ownPacket = (packet, owner) => {
      packet.#owner = owner
    }
  }

  /** A second lease, with an owner of its own. */
  retain(name?: string): HeldPacket {
    return holdPacket(slotsOf(this), slotOf(this), name)
  }

  /** Gives the lease back, and its credit to the queue. */
  release(): void {
    const slots = slotsOf(this)
    const slot = slotOf(this)
    endPacket(this as unknown as Packet)
    if (slots.holders !== null) slots.holders.delete(this)
    const owner = this.#owner
    this.#owner = null
    slots.release(slot)
    if (owner !== null) owner.released(this)
  }

  /** Releases it: `using`. */
  [Symbol.dispose](): void {
    this.release()
  }

  protected late(): never {
    throw new VhostError(
      'ERR_VHOST_LEASE_RELEASED',
      'the packet is used, or released again, after its release()',
    )
  }
}

/** The borrowed packet of a slot. @internal */
export function borrowPacket(slots: Slots, slot: number): Packet {
  return slots.packets[slot] ?? makePacket(slots, slot)
}

// By itself, so that what is called for each packet is short. In strict mode none is kept, so each is made here.
function makePacket(slots: Slots, slot: number): Packet {
  const made = new Packet(slots, slot)
  if (!slots.strict) slots.packets[slot] = made
  return made
}

function holdPacket(slots: Slots, slot: number, name?: string): HeldPacket {
  slots.retain(slot)
  const held = new HeldPacket(slots, slot)
  if (slots.holders !== null) slots.holders.set(held, name ?? 'a HeldPacket')
  return held
}
