// The base class of packets, borrowed, held or detached: it reads numbers from the packet's slot and makes copies. It never
// returns a view of the pool, since a slot's bytes belong to another packet later.
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

// Copies of imported constants: V8 treats a module's own constants as literals, but loads and checks imported ones at each use.
const SHIFT = SLOT_SHIFT
const OFFSET: 0 = SLOT_OFFSET
const LENGTH = SLOT_LENGTH
const REFERENCES = SLOT_REFERENCES

/** The base of a packet that has ended: an index outside the metadata, so that every check fails. */
const ENDED = -SLOT_WORDS

// Access to packets for the rest of the library, which users do not have.
/** The slot of a live packet; throws if the packet has ended. @internal */
export let slotOf: (packet: PacketView) => number
/** The memory, or pool, that the packet is in. @internal */
export let slotsOf: <S extends SlotMemory>(packet: PacketView<S>) => S
/** The offset of a live packet's frame in its pool's `view`; throws if the packet has ended. @internal */
export let startOf: (packet: PacketView) => number
/** The offset in its pool's `view` of `width` bytes at `offset` of the frame; throws as the accessors do. @internal */
export let placeOf: (packet: PacketView, offset: number, width: number) => number
/** Ends a packet: every later use throws. @internal */
export let endPacket: (packet: PacketView) => void
/** Whether it was not released yet. @internal */
export let isOpenPacket: (packet: PacketView) => boolean

/** Points a packet at another slot of the same pool. @internal */
export let aim: (packet: PacketView, slot: number) => void

/** @internal */
export abstract class PacketView<S extends SlotMemory = SlotMemory> {
  readonly #slots: S
  readonly #meta: Uint32Array
  readonly #bytes: Buffer
  readonly #view: DataView
  /** Index of the first word of the slot's metadata, or ENDED. */
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

  /** Copies the frame into `target` at `offset` and returns its length. Throws a `RangeError` if it does not fit. */
  copyTo(target: Uint8Array, offset = 0): number {
    const length = this.length
    if (!(offset >= 0 && offset + length <= target.length))
      throw new RangeError(`a packet of ${length} bytes does not fit at ${offset} of ${target.length}`)
    const from = this.#meta[this.#base + OFFSET]
    this.#bytes.copy(target, offset, from, from + length)
    return length
  }

  /** Returns a copy of the frame. */
  toBuffer(): Buffer {
    const copy = Buffer.allocUnsafe(this.length)
    this.copyTo(copy)
    return copy
  }

  /** Whether the frame has exactly these bytes. */
  equals(bytes: Uint8Array): boolean {
    const length = this.length
    const from = this.#meta[this.#base + OFFSET]
    return bytes.length === length && this.#bytes.compare(bytes, 0, length, from, from + length) === 0
  }

  /** The virtio-net header, with the checksum and segmentation offloads that the guest asked for. Ends with the packet. */
  get header(): PacketHeader {
    this.#check()
    if (this.#header === null) this.#header = new PacketHeader(word => this.#headerWord(word))
    return this.#header
  }

  #headerWord(word: number): number {
    this.#check()
    return this.#meta[this.#base + SLOT_HEADER + word]
  }

  // Kept short so that V8 inlines it into functions with several reads and writes: its limit is on the size of bytecode, and a
  // literal has a third of the bytecode of a name. `|` adds, since a slot's metadata begin at a multiple of SLOT_WORDS.
  /** The offset of these bytes in the pool; throws if they are outside the frame or the packet has ended. @internal */
  protected place(offset: number, width: number): number {
    const meta = this.#meta
    const base = this.#base
    if (
      !meta[base | (3 satisfies typeof SLOT_REFERENCES)] ||
      offset >>> 0 !== offset ||
      offset + width > meta[base | (1 satisfies typeof SLOT_LENGTH)]
    )
      this.refuse(offset, width)
    // The first word is OFFSET. `| 0` keeps the sum an integer for V8; every offset in a pool fits in 32 bits.
    return (meta[base] + offset) | 0
  }

  /** Throws: these bytes are outside the frame, or the packet has ended. @internal */
  protected refuse(offset: number, width: number): never {
    this.#check()
    throw new RangeError(`${width} bytes at ${offset} are outside a packet of ${this.length}`)
  }

  // A slot without references has no packet. A packet that was released has the base ENDED.
  #check(): void {
    if (!(this.#meta[this.#base + REFERENCES] > 0)) this.late()
  }

  /** Throws the error for a use after the packet has ended. @internal */
  protected abstract late(): never
}
