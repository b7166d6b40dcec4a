// Packets that were copied out of the pool. They read like other packets, have no lease, and are garbage-collected. A burst of
// them is one block of memory: the metadata of its packets, then their bytes. Packet objects are made when they are asked for,
// so that the number of objects in a burst does not depend on its packets. A sink refuses detached packets, since they have no
// slot in a pool (data/pool/own-pool.ts).
import { copyBytes } from './copy-bytes.js'
import { PacketIterator } from './iterator.js'
import {
  SLOT_LENGTH,
  SLOT_OFFSET,
  SLOT_REFERENCES,
  SLOT_SHIFT,
  SLOT_WORDS,
  type SlotMemory,
} from './slots.js'
import { PacketView } from './view.js'

/**
 * The longest frame, in bytes, that copyBytes() copies; longer frames are copied by Buffer.copy. On Node 20 that allocates a view
 * of 100 bytes per frame, but copyBytes() takes four times as long for a frame of 1,514 bytes. Up to this length it is as fast.
 */
const MOST_BY_WORDS = 256
/** Bytes of the metadata of one packet. */
const META_BYTES = SLOT_WORDS * Uint32Array.BYTES_PER_ELEMENT

/** A copy of a packet. It never ends. */
export class DetachedPacket extends PacketView<DetachedSlots> {
  declare private readonly lease: 'none'

  /** Never called. @internal */
  protected late(): never {
    throw new Error('rx-vhost: a detached packet has ended')
  }
}

/** A burst of copies of packets. It never ends. */
export class DetachedBurst implements Iterable<DetachedPacket> {
  readonly #slots: DetachedSlots

  /** @internal */
  constructor(slots: DetachedSlots) {
    this.#slots = slots
  }

  /** Number of packets in the burst. */
  get length(): number {
    return this.#slots.count
  }

  /** Sum of the lengths of its packets in bytes. */
  get bytes(): number {
    return this.#slots.total
  }

  /** The packet at `index`, a new object each time. Throws a `RangeError` beyond its length. */
  packet(index: number): DetachedPacket {
    if (!(index >= 0 && index < this.length))
      throw new RangeError(`no packet ${index} in a burst of ${this.length}`)
    return new DetachedPacket(this.#slots, index)
  }

  /** Its packets, each a new object: `[...burst]` is an array of them. */
  [Symbol.iterator](): Iterator<DetachedPacket> {
    return new PacketIterator(this)
  }
}

/** The memory of one burst: the metadata of its packets, then their bytes. */
class DetachedSlots implements SlotMemory {
  readonly meta: Uint32Array
  readonly view: DataView
  readonly count: number
  #bytes: Buffer | null = null

  constructor(count: number, total: number) {
    const memory = new ArrayBuffer(count * META_BYTES + total)
    this.count = count
    this.meta = new Uint32Array(memory, 0, count << SLOT_SHIFT)
    this.view = new DataView(memory, count * META_BYTES)
  }

  get total(): number {
    return this.view.byteLength
  }

  /** Made when the first packet is read: a burst whose packets are never read does not need it. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.view.buffer as ArrayBuffer, this.view.byteOffset, this.total)
    return this.#bytes
  }
}

/** Copies of the first `count` of these slots. @internal */
export function detachSlots(
  { meta, view, bytes }: SlotMemory,
  ids: Uint32Array,
  count: number,
): DetachedBurst {
  let total = 0
  for (let i = 0; i < count; i++) total += meta[(ids[i] << SLOT_SHIFT) + SLOT_LENGTH]
  const own = new DetachedSlots(count, total)
  let offset = 0
  for (let i = 0; i < count; i++) {
    const from = ids[i] << SLOT_SHIFT
    const to = i << SLOT_SHIFT
    const length = meta[from + SLOT_LENGTH]
    const start = meta[from + SLOT_OFFSET]
    if (length > MOST_BY_WORDS) bytes.copy(own.bytes, offset, start, start + length)
    else copyBytes(view, start, own.view, offset, length)
    for (let word = 0; word < SLOT_WORDS; word++) own.meta[to + word] = meta[from + word]
    own.meta[to + SLOT_OFFSET] = offset
    own.meta[to + SLOT_REFERENCES] = 1
    offset += length
  }
  return new DetachedBurst(own)
}
