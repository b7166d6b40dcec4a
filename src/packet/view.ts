// What every form of a packet can do: give numbers read out of its slot, and copies. It knows the layout of a slot's
// metadata (slots.ts) and no queue. Nothing here gives out a view of the pool: its bytes change owners.
import { PacketHeader } from './header.js'
import {
  SLOT_HEADER,
  SLOT_LENGTH,
  SLOT_OFFSET,
  SLOT_REFERENCES,
  SLOT_SHIFT,
  SLOT_WORDS,
  type SlotMemory,
} from './slots.js'

// V8 knows a module's own constants, and loads and checks imported ones at each use.
const SHIFT = SLOT_SHIFT
const OFFSET: 0 = SLOT_OFFSET
const LENGTH = SLOT_LENGTH
const REFERENCES = SLOT_REFERENCES

/** The slot of a packet that has ended: outside the metadata, so that no check passes. */
const ENDED = -SLOT_WORDS

// What the rest of the library may do with a packet and its users may not.
/** The slot of a live packet; throws if the packet has ended. @internal */
export let slotOf: (packet: PacketView) => number
/** The memory, or pool, that the packet is in. @internal */
export let slotsOf: <S extends SlotMemory>(packet: PacketView<S>) => S
/** Where the frame of a live packet begins in its pool's `view`; throws if the packet has ended. @internal */
export let startOf: (packet: PacketView) => number
/** Where `width` bytes at `offset` are in its pool's `view`; throws as the accessors do. @internal */
export let placeOf: (packet: PacketView, offset: number, width: number) => number
/** Every later use throws. @internal */
export let endPacket: (packet: PacketView) => void
/** Was it not released yet? @internal */
export let isOpenPacket: (packet: PacketView) => boolean

/** Makes a packet of the same pool look at another slot. @internal */
export let aim: (packet: PacketView, slot: number) => void

/** @internal */
export abstract class PacketView<S extends SlotMemory = SlotMemory> {
  readonly #slots: S
  readonly #meta: Uint32Array
  readonly #bytes: Buffer
  readonly #view: DataView
  /** Where the slot's metadata begin, or ENDED. */
  #base: number
  #header: PacketHeader | null = null

  static {
    slotOf = packet => {
      packet.#check()
      return packet.#base / SLOT_WORDS
    }
    slotsOf = packet => packet.#slots
    startOf = packet => {
      packet.#check()
      return packet.#meta[packet.#base + OFFSET]
    }
    placeOf = (packet, offset, width) => packet.place(offset, width)
    isOpenPacket = packet => packet.#base !== ENDED
    endPacket = packet => {
      packet.#base = ENDED
    }
    aim = (packet, slot) => {
      packet.#base = slot << SHIFT
    }
  }

  constructor(slots: S, slot: number) {
    this.#slots = slots
    this.#meta = slots.meta
    this.#bytes = slots.bytes
    this.#view = slots.view
    this.#base = slot << SHIFT
  }

  /** Length of the frame in bytes, without the virtio-net header. */
  get length(): number {
    this.#check()
    return this.#meta[this.#base + LENGTH]
  }

  /** The byte at `offset`. */
  uint8(offset: number): number {
    return this.#view.getUint8(this.place(offset, 1))
  }

  /** The two bytes at `offset`, in network byte order: `uint16(12)` is the EtherType. */
  uint16(offset: number): number {
    return this.#view.getUint16(this.place(offset, 2))
  }

  /** The four bytes at `offset`, in network byte order. */
  uint32(offset: number): number {
    return this.#view.getUint32(this.place(offset, 4))
  }

  /** Copies the frame into `target` from `offset` on and returns its length; a `RangeError` where it has no room. */
  copyTo(target: Uint8Array, offset = 0): number {
    const length = this.length
    if (!(offset >= 0 && offset + length <= target.length))
      throw new RangeError(`a packet of ${length} bytes does not fit at ${offset} of ${target.length}`)
    const from = this.#meta[this.#base + OFFSET]
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
    const from = this.#meta[this.#base + OFFSET]
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

  // Short, so that V8 compiles a function of several reads and writes into one piece: what it puts together is limited by
  // bytecode, of which a literal has a third of what a name has. A slot's metadata begin at a multiple of SLOT_WORDS.
  /** Where in the pool these bytes are; throws if they are not in the frame, or the packet has ended. @internal */
  protected place(offset: number, width: number): number {
    const meta = this.#meta
    const base = this.#base
    if (
      !meta[base | (3 satisfies typeof SLOT_REFERENCES)] ||
      offset >>> 0 !== offset ||
      offset + width > meta[base | (1 satisfies typeof SLOT_LENGTH)]
    )
      this.refuse(offset, width)
    // Its first word is OFFSET. In 32 bits, which no pool exceeds: a sum that might would be one of doubles.
    return (meta[base] + offset) | 0
  }

  /** These bytes are not there, or the packet has ended. @internal */
  protected refuse(offset: number, width: number): never {
    this.#check()
    throw new RangeError(`${width} bytes at ${offset} are outside a packet of ${this.length}`)
  }

  // A slot that nobody leases has no packet. Who held a lease and gave it back has ENDED instead of the slot.
  #check(): void {
    if (!(this.#meta[this.#base + REFERENCES] > 0)) this.late()
  }

  /** @internal */
  protected abstract late(): never
}
