// A packet that may be written: a copy in a slot of its own, or, where the caller promised that nobody else looks, the
// packet itself. Only mapPackets and processPackets hand one out, for the time of a call. Nothing here gives out a view
// of the pool.

import { WritableHeader } from './header.js'
import { Packet, type Slots, slotOf, slotsOf } from './packet.js'
import { SLOT_HEADER, SLOT_OFFSET, SLOT_SHIFT } from './slots.js'

/** virtio_net_hdr flags: the checksum from `checksumStart` on is still to be computed. */
const NEEDS_CHECKSUM = 1

/**
 * A packet to be rewritten, for the time of the call that it was given to. Numbers are in network byte order. Offsets
 * outside the frame, and growth beyond its slot, throw a `RangeError`.
 */
export class WritablePacket extends Packet {
  readonly #view: DataView
  #writable: WritableHeader | null = null

  /** @internal */
  constructor(slots: Slots, slot: number) {
    super(slots, slot)
    this.#view = slots.view
  }

  /** The virtio-net header, to be written too. A checksum that the guest left to be done stays to be done. */
  override get header(): WritableHeader {
    slotOf(this)
    return this.#writable ?? this.#makeHeader()
  }

  // By itself: what its functions close over would be made with each look at the header.
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

  /** Writes these bytes over those from `offset` on. */
  set(bytes: Uint8Array, offset = 0): void {
    slotsOf(this).bytes.set(bytes, this.place(offset, bytes.length))
  }

  /** Puts `count` zero bytes before the frame, out of the slot's headroom: 128 bytes in all. */
  prepend(count: number): void {
    const from = this.#word(SLOT_OFFSET)
    this.#resize(from - count, this.length + count, count)
    slotsOf(this).bytes.fill(0, from - count, from)
    this.#moveHeader(count)
  }

  /** Cuts `count` bytes off the front. If a checksum was to be done in them, it no longer is. */
  trimFront(count: number): void {
    this.#resize(this.#word(SLOT_OFFSET) + count, this.length - count, count)
    this.#moveHeader(-count)
  }

  /** Puts `count` zero bytes behind the frame. */
  append(count: number): void {
    const from = this.#word(SLOT_OFFSET)
    const end = from + this.length
    this.#resize(from, end - from + count, count)
    slotsOf(this).bytes.fill(0, end, end + count)
  }

  /** Cuts the frame off behind `length` bytes. */
  truncate(length: number): void {
    this.#resize(this.#word(SLOT_OFFSET), length, this.length - length)
  }

  /** A word of the slot's metadata. */
  #word(word: number): number {
    return slotsOf(this).meta[(slotOf(this) << SLOT_SHIFT) + word]
  }

  // `count`: by how much, to be a number of bytes.
  #resize(offset: number, length: number, count: number): void {
    if ((count | 0) !== count || count < 0 || !slotsOf(this).resize(slotOf(this), offset, length))
      throw new RangeError(`a packet of ${this.length} bytes can not become one of ${length} in its slot`)
  }

  // The header counts from the start of the frame, which moved.
  #moveHeader(by: number): void {
    const { header } = this
    if (header.flags & NEEDS_CHECKSUM) {
      if (header.checksumStart + by < 0) header.flags &= ~NEEDS_CHECKSUM
      else header.checksumStart += by
    }
    if (header.gsoType !== 0) header.headerLength = Math.max(0, header.headerLength + by)
  }
}
