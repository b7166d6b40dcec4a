// Packets as JavaScript sees them, borrowed (`Packet`) or held (`HeldPacket`), the list of slots behind a burst (`BurstCore`),
// and the pool that all of these are in (`Slots`). They are in one file because their types refer to each other.
import { VhostError } from '../errors.js'
import type { SlotMemory } from './slots.js'
import { endPacket, PacketView, slotOf, slotsOf } from './view.js'

export { PacketHeader } from './header.js'
export * from './slots.js'
export { aim, endPacket, isOpenPacket, slotOf, slotsOf } from './view.js'

/** The pool that packets and bursts are in (src/data/pool/pool.ts implements it). */
export interface Slots extends SlotMemory {
  /** RX_VHOST_LEASES=strict: each borrow gets a fresh packet object, so that every late use throws. */
  readonly strict: boolean
  /** One borrowed packet per slot, made at first use. */
  readonly packets: (Packet | undefined)[]
  /** Lists of slot ids for bursts; those of ended leases are used again. */
  readonly cores: CoreStore
  /** In debug and strict mode: the name of each holder of a lease. */
  readonly holders: Map<object, string> | null
  /** The account of the queue that the packet came from, also while another account pays for it. */
  home(slot: number): number
  retain(slot: number): void
  release(slot: number): void
  /** A slot for `length` bytes with one reference and a zeroed header; its bytes are not cleared. Or NO_SLOT. */
  alloc(length: number, account: number): number
  /** Moves the bounds of the frame within its slot; false if they are outside of it. */
  resize(slot: number, offset: number, length: number): boolean
  /** Counts that an operator dropped packets of the queue that this packet came from. */
  dropped(slot: number, reason: string, count?: number): void
  /** Releases the slots `ids[from]` to `ids[to - 1]`. */
  releaseAll(ids: Uint32Array, from: number, to: number): void
}

/** Where bursts get their lists of slot ids (src/data/pool/core-store.ts implements it). */
export interface CoreStore {
  /** An empty core for `capacity` packets. */
  take(capacity: number): BurstCore
  /** Takes back the core of a burst that has ended. */
  give(core: BurstCore): void
}

/** `at` of a core whose list the addon cannot see: ids are copied on their way to and from the addon. */
export const PRIVATE = -1

/**
 * The list of slot ids behind the handle of a burst. Cores are pooled, and users never see one. What operators do with cores
 * is in burst-core.ts. @internal
 */
export class BurstCore {
  length = 0
  /** If an operator made this core: the core that the queue delivered. */
  origin: BurstCore | null = null
  /** If an operator made this core: the core that it was made from. */
  input: BurstCore | null = null
  /** If its packets are copies: for each packet, the slot of `input` that it is a copy of. */
  copied: Uint32Array | null = null
  /** In an origin: index of the first packet that was not delivered, or -1. */
  cut = -1
  /** In an origin: number of packets for which a user's function threw. */
  failed = 0
  /** In an origin: slots of packets before `cut` that were not delivered. */
  readonly skipped: number[] = []
  /** In strict mode: the packet objects that end with the borrow. */
  readonly given: Packet[] = []

  constructor(
    public slots: Slots,
    readonly ids: Uint32Array,
    /** Index of `ids` in the exchange, the words that the addon shares; or PRIVATE. */
    readonly at: number = PRIVATE,
  ) {}
}

/** Sets the owner, which is told of the release. @internal */
export let ownPacket: (packet: HeldPacket, owner: { released(lease: object): void }) => void

/**
 * A borrowed packet: valid until the `next` or callback that received it returns, and read-only. Copy the bytes that you
 * need, or `retain()` it. A late use throws `ERR_VHOST_LEASE_ENDED`: always in strict mode, otherwise until the slot
 * has its next packet.
 */
export class Packet extends PacketView<Slots> {
  // For the type system: a held packet can't be used as a borrowed one.
  declare private readonly lease: 'borrowed'

  /**
   * Returns a lease of your own on the packet. Its credit returns to the queue when you release it. `name` shows in `stalled`
   * events.
   */
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

/** A packet with one owner, who must release it. Any use after that throws `ERR_VHOST_LEASE_RELEASED`. */
export class HeldPacket extends PacketView<Slots> {
  declare private readonly lease: 'held'
  #owner: { released(lease: object): void } | null = null

  static {
    ownPacket = (packet, owner) => {
      packet.#owner = owner
    }
  }

  /** Returns a second lease, with an owner of its own. */
  retain(name?: string): HeldPacket {
    return holdPacket(slotsOf(this), slotOf(this), name)
  }

  /** Ends the lease and returns its credit to the queue. */
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

  /** Calls `release()`, for `using`. */
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

// A function of its own, so that borrowPacket() is short enough to inline. In strict mode no packet object is stored.
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
