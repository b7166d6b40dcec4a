// A packet that can be written. It is in a slot of its own, as a copy, or in the original slot if the user has promised that
// nobody else reads it. Operators pass it to a user's function and end it when that returns.

import { WritableHeader } from './header.js'
import { Packet, type Slots, slotOf, slotsOf } from './packet.js'
import { SLOT_HEADER, SLOT_OFFSET, SLOT_SHIFT } from './slots.js'

/** VIRTIO_NET_HDR_F_NEEDS_CSUM: the checksum from `checksumStart` on is not computed yet. */
const NEEDS_CHECKSUM = 1

/**
 * A packet to rewrite, valid for the call that received it. Numbers are in network byte order. Offsets outside the frame and
 * growth beyond the slot throw a `RangeError`.
 */
export class WritablePacket extends Packet {
  readonly #view: DataView
  #writable: WritableHeader | null = null

  /** @internal */
  constructor(slots: Slots, slot: number) {
    super(slots, slot)
    this.#view = slots.view
  }

  /** The virtio-net header, which can be written too. A checksum that is not computed yet stays so. */
  override get header(): WritableHeader {
    slotOf(this)
    return this.#writable ?? this.#makeHeader()
  }

  // A function of its own, since V8 would make the closures' context at each access to `header`.
  #makeHeader(): WritableHeader {
    this.#writable = new WritableHeader(
      word => this.#word(SLOT_HEADER + word),
      (word, shift, mask, value) => {
        const at = (slotOf(this) << SLOT_SHIFT) + SLOT_HEADER + word
        const { meta } = slotsOf(this)
        meta[at] = (meta[at] & ~(mask << shift)) | ((value & mask) << shift)
      },
    )
    return this.#writable
  }

  /** Writes the byte at `offset`. */
  setUint8(offset: number, value: number): void {
    this.#view.setUint8(this.place(offset, 1), value)
  }

  /** Writes two bytes at `offset`, in network byte order. */
  setUint16(offset: number, value: number): void {
    this.#view.setUint16(this.place(offset, 2), value)
  }

  /** Writes four bytes at `offset`, in network byte order. */
  setUint32(offset: number, value: number): void {
    this.#view.setUint32(this.place(offset, 4), value)
  }

  /** Overwrites the frame with these bytes at `offset`. */
  set(bytes: Uint8Array, offset = 0): void {
    slotsOf(this).bytes.set(bytes, this.place(offset, bytes.length))
  }

  /** Inserts `count` zero bytes before the frame. The slot's headroom has 128 bytes in all. */
  prepend(count: number): void {
    const from = this.#word(SLOT_OFFSET)
    this.#resize(from - count, this.length + count, count)
    slotsOf(this).bytes.fill(0, from - count, from)
    this.#moveHeader(count)
  }

  /** Removes the first `count` bytes. A checksum that was to be computed in them is not computed any more. */
  trimFront(count: number): void {
    this.#resize(this.#word(SLOT_OFFSET) + count, this.length - count, count)
    this.#moveHeader(-count)
  }

  /** Appends `count` zero bytes. */
  append(count: number): void {
    const from = this.#word(SLOT_OFFSET)
    const end = from + this.length
    this.#resize(from, end - from + count, count)
    slotsOf(this).bytes.fill(0, end, end + count)
  }

  /** Shortens the frame to `length` bytes. */
  truncate(length: number): void {
    this.#resize(this.#word(SLOT_OFFSET), length, this.length - length)
  }

  /** A word of the slot's metadata. */
  #word(word: number): number {
    return slotsOf(this).meta[(slotOf(this) << SLOT_SHIFT) + word]
  }

  // `count` is the change of length; it must be a number of bytes.
  #resize(offset: number, length: number, count: number): void {
    if ((count | 0) !== count || count < 0 || !slotsOf(this).resize(slotOf(this), offset, length))
      throw new RangeError(`a packet of ${this.length} bytes cannot become one of ${length} in its slot`)
  }

  // Offsets in the header count from the start of the frame, which has moved by `by` bytes.
  #moveHeader(by: number): void {
    const { header } = this
    if (header.flags & NEEDS_CHECKSUM) {
      if (header.checksumStart + by < 0) header.flags &= ~NEEDS_CHECKSUM
      else header.checksumStart += by
    }
    if (header.gsoType !== 0) header.headerLength = Math.max(0, header.headerLength + by)
  }
}
