// Packets as Enhanced Packet Blocks (draft-ietf-opsawg-pcapng §4.3), built one behind the other in memory that is used
// again and again: what goes to the file in one write. Nothing is made per packet. It knows no file and no interface's name.
import { endianness } from 'node:os'
import { copyBytes } from '../packet/copy-bytes.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT, type Slots } from '../packet/packet.js'
import { ENHANCED_PACKET, EPB_FLAGS, type Timestamp } from './pcapng.js'

/** Large enough that a write's own cost is nothing beside its bytes', small enough to stay in the second-level cache. */
export const CHUNK_BYTES = 256 << 10

// Words of the block before its data, and bytes behind it: epb_flags, the end of options, the block's length.
const DATA = 28
const FLAGS_OPTION = 8
const BEHIND = FLAGS_OPTION + 4 + 4
/** The host's, as in pcapng.ts. */
const LITTLE = endianness() === 'LE'
/** Code 2, length 4: two half-words, as one word in the host's order. */
const FLAGS_HEAD = LITTLE ? (4 << 16) | EPB_FLAGS : (EPB_FLAGS << 16) | 4

/** epb_flags, bits 0 and 1. */
export const DIRECTIONS = { none: 0, inbound: 1, outbound: 2 } as const
/** Which way a packet went, from the view of the host. */
export type Direction = keyof typeof DIRECTIONS

const padded = (length: number): number => (length + 3) & ~3

/** Bytes that a packet takes of which `captured` are kept. */
export const blockBytes = (captured: number): number => DATA + padded(captured) + BEHIND

export class Chunk {
  readonly bytes: Uint8Array
  /** Bytes in use: whole blocks, always. */
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

  /** Adds a packet, of which there must be room for `captured` bytes. */
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
    // Its padding first: the data then overwrites what is not padding.
    if (captured > 0) view.setInt32(end - 4, 0)
    copyBytes(slots.view, slots.meta[base + SLOT_OFFSET], view, data, captured)
    view.setInt32(end, FLAGS_HEAD, LITTLE)
    view.setInt32(end + 4, flags, LITTLE)
    view.setInt32(end + FLAGS_OPTION, 0)
    view.setInt32(end + FLAGS_OPTION + 4, total, LITTLE)
    this.length = at + total
  }

  /** Notes how many packets of an interface were added. */
  count(id: number, packets: number): void {
    while (this.packets.length <= id) this.packets.push(0)
    this.packets[id] += packets
  }
}
