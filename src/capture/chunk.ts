// A chunk is a buffer of packets, each encoded as an Enhanced Packet Block (draft-ietf-opsawg-pcapng §4.3). The whole
// chunk is written to the file in one write, then its memory is reused. Adding a packet allocates nothing.
import { endianness } from 'node:os'
import { copyBytes } from '../packet/copy-bytes.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT, type Slots } from '../packet/packet.js'
import { ENHANCED_PACKET, EPB_FLAGS, type Timestamp } from './pcapng.js'

/** Size of a chunk. It is large enough to make the fixed cost of a write unimportant, and fits into the L2 cache. */
export const CHUNK_BYTES = 256 << 10

// Number of bytes in a block before the packet's data (DATA) and after the data (AFTER). The bytes after the data are
// the option epb_flags, the end of options, and the block's length.
const DATA = 28
const FLAGS_OPTION = 8
const AFTER = FLAGS_OPTION + 4 + 4
/** Whether the host is little-endian. Blocks use the host's byte order, as in pcapng.ts. */
const LITTLE = endianness() === 'LE'
/** The head of the option epb_flags: code 2 and length 4, two 16-bit values as one word in the host's byte order. */
const FLAGS_HEAD = LITTLE ? (4 << 16) | EPB_FLAGS : (EPB_FLAGS << 16) | 4

/** The values of bits 0 and 1 of epb_flags. */
export const DIRECTIONS = { none: 0, inbound: 1, outbound: 2 } as const
/** The direction of a packet from the host's point of view. */
export type Direction = keyof typeof DIRECTIONS

const padded = (length: number): number => (length + 3) & ~3

/** Returns the size of the block for a packet with `captured` bytes. */
export const blockBytes = (captured: number): number => DATA + padded(captured) + AFTER

export class Chunk {
  readonly bytes: Uint8Array
  /** Number of bytes in use. They are always complete blocks. */
  length = 0
  /** Number of packets for each interface. The index is the interface's id. */
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

  /** Adds the first `captured` bytes of a packet. The caller must make sure that the block fits. */
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
    // Sets the last word of the data area to zero, so that the padding is zero. The data then overwrites the rest of
    // the word.
    if (captured > 0) view.setInt32(end - 4, 0)
    copyBytes(slots.view, slots.meta[base + SLOT_OFFSET], view, data, captured)
    view.setInt32(end, FLAGS_HEAD, LITTLE)
    view.setInt32(end + 4, flags, LITTLE)
    view.setInt32(end + FLAGS_OPTION, 0)
    view.setInt32(end + FLAGS_OPTION + 4, total, LITTLE)
    this.length = at + total
  }

  /** Counts packets that were added for an interface. */
  count(id: number, packets: number): void {
    while (this.packets.length <= id) this.packets.push(0)
    this.packets[id] += packets
  }
}
