// A chunk: packets as Enhanced Packet Blocks (draft-ietf-opsawg-pcapng §4.3), one after the other, in memory that is used
// again after it was written in one write. Nothing is allocated for a packet.
import { endianness } from 'node:os'
import { copyBytes } from '../packet/copy-bytes.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT, type Slots } from '../packet/packet.js'
import { ENHANCED_PACKET, EPB_FLAGS, type Timestamp } from './pcapng.js'

/** So large that the fixed cost of a write does not matter, so small that it stays in the second-level cache. */
export const CHUNK_BYTES = 256 << 10

// Bytes of the block before its data, and after it: epb_flags, the end of options, the block's length.
const DATA = 28
const FLAGS_OPTION = 8
const AFTER = FLAGS_OPTION + 4 + 4
/** The host's byte order, as in pcapng.ts. */
const LITTLE = endianness() === 'LE'
/** Code 2, length 4: two half-words, as one word in the host's order. */
const FLAGS_HEAD = LITTLE ? (4 << 16) | EPB_FLAGS : (EPB_FLAGS << 16) | 4

/** epb_flags, bits 0 and 1. */
export const DIRECTIONS = { none: 0, inbound: 1, outbound: 2 } as const
/** The direction of a packet, as the host sees it. */
export type Direction = keyof typeof DIRECTIONS

const padded = (length: number): number => (length + 3) & ~3

/** Bytes of the block for a packet with `captured` bytes. */
export const blockBytes = (captured: number): number => DATA + padded(captured) + AFTER

export class Chunk {
  readonly bytes: Uint8Array
  /** Bytes in use, always whole blocks. */
  length = 0
  /** Packets by the id of their interface. */
  readonly packets: number[] = []
  readonly #view: DataView

  constructor(size = CHUNK_BYTES) {
    this.bytes = new Uint8Array(size)
    this.#view = new DataView(this.bytes.buffer)
  }

  get left(): number {
    return this.bytes.length - this.length
  }

  empty(): void {
    this.length = 0
    this.packets.length = 0
  }

  /** Adds the first `captured` bytes of a packet. There must be room for the block. */
  add(slots: Slots, slot: number, captured: number, id: number, flags: number, time: Timestamp): void {
    const view = this.#view
    const at = this.length
    const total = blockBytes(captured)
    const base = slot << SLOT_SHIFT
    view.setInt32(at, ENHANCED_PACKET, LITTLE)
    view.setInt32(at + 4, total, LITTLE)
    view.setInt32(at + 8, id, LITTLE)
    view.setUint32(at + 12, time.high, LITTLE)
    view.setUint32(at + 16, time.low, LITTLE)
    view.setInt32(at + 20, captured, LITTLE)
    view.setInt32(at + 24, slots.meta[base + SLOT_LENGTH], LITTLE)
    const data = at + DATA
    const end = data + padded(captured)
    // Zeros the last word for the padding; the data then overwrites the rest of it.
    if (captured > 0) view.setInt32(end - 4, 0)
    copyBytes(slots.view, slots.meta[base + SLOT_OFFSET], view, data, captured)
    view.setInt32(end, FLAGS_HEAD, LITTLE)
    view.setInt32(end + 4, flags, LITTLE)
    view.setInt32(end + FLAGS_OPTION, 0)
    view.setInt32(end + FLAGS_OPTION + 4, total, LITTLE)
    this.length = at + total
  }

  /** Counts packets of an interface that were added. */
  count(id: number, packets: number): void {
    while (this.packets.length <= id) this.packets.push(0)
    this.packets[id] += packets
  }
}
