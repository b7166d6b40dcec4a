// A packet as JavaScript sees it: numbers read out of its slot, and copies. Borrowed (`Packet`) or held (`HeldPacket`).
// Below every operator and the data plane's queues; it knows the layout of a slot's metadata (shared with
// native/core/net/pool.h) and no queue. Nothing here gives out a view of the pool: its bytes change owners.
//
// Over budget (200 lines): the borrowed and the held form share private members, which only one file can.
import { VhostError } from './errors.js'

/** Words of metadata per slot, and what each is. */
export const SLOT_WORDS = 8
export const SLOT_OFFSET = 0
export const SLOT_LENGTH = 1
export const SLOT_GENERATION = 2
export const SLOT_REFERENCES = 3
export const SLOT_ACCOUNT = 4
export const SLOT_HEADER = 5

/** What a packet needs of the pool (src/data/pool.ts). */
export interface Slots {
  readonly meta: Uint32Array
  readonly bytes: Buffer
  /** RX_VHOST_LEASES=strict: fresh packet objects, so that every late use throws. */
  readonly strict: boolean
  /** One borrowed packet per slot, made on first use. */
  readonly packets: (Packet | undefined)[]
  /** In debug and strict mode: who holds leases. */
  readonly holders: Map<object, string> | null
  retain(slot: number): void
  release(slot: number): void
  /** Of `ids`, from `from` on, before `to`. */
  releaseAll(ids: Uint32Array, from: number, to: number): void
}

/** The slot of a packet that has ended: outside the metadata, so that no check passes. */
const ENDED = -SLOT_WORDS

// What the rest of the library may do with a packet and its users may not.
/** The slot of a live packet; throws if the packet has ended. @internal */
export let slotOf: (packet: Packet | HeldPacket) => number
/** @internal */
export let slotsOf: (packet: Packet | HeldPacket) => Slots
/** Every later use throws. @internal */
export let endPacket: (packet: Packet) => void
/** Was it not released yet? @internal */
export let isOpenPacket: (packet: HeldPacket) => boolean
/** @internal */
export let ownPacket: (packet: HeldPacket, owner: { released(lease: object): void }) => void

abstract class PacketView {
  readonly #slots: Slots
  readonly #meta: Uint32Array
  readonly #bytes: Buffer
  /** Where the slot's metadata begin, or ENDED. */
  #base: number
  #header: PacketHeader | null = null

  static {
    slotOf = packet => {
      packet.#check()
      return packet.#base / SLOT_WORDS
    }
    slotsOf = packet => packet.#slots
    isOpenPacket = packet => packet.#base !== ENDED
    endPacket = packet => {
      packet.#base = ENDED
    }
  }

  constructor(slots: Slots, slot: number) {
    this.#slots = slots
    this.#meta = slots.meta
    this.#bytes = slots.bytes
    this.#base = slot * SLOT_WORDS
  }

  /** Length of the frame in bytes, without the virtio-net header. */
  get length(): number {
    this.#check()
    return this.#meta[this.#base + SLOT_LENGTH]
  }

  /** The byte at `offset`. */
  uint8(offset: number): number {
    return this.#bytes[this.#at(offset, 1)]
  }

  /** The two bytes at `offset`, in network byte order: `uint16(12)` is the EtherType. */
  uint16(offset: number): number {
    const at = this.#at(offset, 2)
    return (this.#bytes[at] << 8) | this.#bytes[at + 1]
  }

  /** The four bytes at `offset`, in network byte order. */
  uint32(offset: number): number {
    const at = this.#at(offset, 4)
    const bytes = this.#bytes
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
  }

  /** Copies the frame into `target` from `offset` on and returns its length. */
  copyTo(target: Uint8Array, offset = 0): number {
    const length = this.length
    if (!(offset >= 0 && offset + length <= target.length))
      throw new RangeError(`a packet of ${length} bytes does not fit at ${offset} of ${target.length}`)
    const from = this.#meta[this.#base + SLOT_OFFSET]
    this.#bytes.copy(target, offset, from, from + length)
    return length
  }

  /** A copy of the frame that is yours. */
  toBuffer(): Buffer {
    const copy = Buffer.allocUnsafe(this.length)
    this.copyTo(copy)
    return copy
  }

  /** Are these the bytes of the frame? */
  equals(bytes: Uint8Array): boolean {
    const length = this.length
    const from = this.#meta[this.#base + SLOT_OFFSET]
    return bytes.length === length && this.#bytes.compare(bytes, 0, length, from, from + length) === 0
  }

  /** The virtio-net header: checksum and segmentation offload, as the guest asked for it. Ends with the packet. */
  get header(): PacketHeader {
    this.#check()
    if (this.#header === null) this.#header = new PacketHeader(word => this.#headerWord(word))
    return this.#header
  }

  #headerWord(word: number): number {
    this.#check()
    return this.#meta[this.#base + SLOT_HEADER + word]
  }

  #at(offset: number, width: number): number {
    const meta = this.#meta
    const base = this.#base
    if (!(meta[base + SLOT_REFERENCES] > 0)) this.late()
    if ((offset | 0) !== offset || offset < 0 || offset + width > meta[base + SLOT_LENGTH])
      throw new RangeError(`${width} bytes at ${offset} are outside a packet of ${meta[base + SLOT_LENGTH]}`)
    return meta[base + SLOT_OFFSET] + offset
  }

  // A slot that nobody leases has no packet. Who held a lease and gave it back has ENDED instead of the slot.
  #check(): void {
    if (!(this.#meta[this.#base + SLOT_REFERENCES] > 0)) this.late()
  }

  /** @internal */
  protected abstract late(): never
}

/** Fields of `struct virtio_net_hdr_v1` (virtio 1.2 §5.1.6), read-only. */
export class PacketHeader {
  readonly #word: (word: number) => number

  /** @internal */
  constructor(word: (word: number) => number) {
    this.#word = word
  }

  get flags(): number {
    return this.#word(0) & 0xff
  }
  get gsoType(): number {
    return (this.#word(0) >>> 8) & 0xff
  }
  get headerLength(): number {
    return this.#word(0) >>> 16
  }
  get gsoSize(): number {
    return this.#word(1) & 0xffff
  }
  get checksumStart(): number {
    return this.#word(1) >>> 16
  }
  get checksumOffset(): number {
    return this.#word(2) & 0xffff
  }
}

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
  if (slots.strict) return new Packet(slots, slot)
  const pooled = slots.packets[slot]
  if (pooled !== undefined) return pooled
  const made = new Packet(slots, slot)
  slots.packets[slot] = made
  return made
}

function holdPacket(slots: Slots, slot: number, name?: string): HeldPacket {
  slots.retain(slot)
  const held = new HeldPacket(slots, slot)
  if (slots.holders !== null) slots.holders.set(held, name ?? 'a HeldPacket')
  return held
}
