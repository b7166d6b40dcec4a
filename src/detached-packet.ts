// A packet that was copied out of the pool: it reads like any packet, owes nothing to anyone, and is collected like any
// object. The packets of one burst share one buffer. It can not go into a sink: it has no slot.
import { BurstCore } from './burst-core.js'
import { PacketView } from './packet-view.js'
import { SLOT_LENGTH, SLOT_OFFSET, SLOT_REFERENCES, SLOT_SHIFT, SLOT_WORDS, type Slots } from './slots.js'

const noop = (): void => {}

/** A packet of your own. It never ends. */
export class DetachedPacket extends PacketView {
  declare private readonly lease: 'none'

  /** Not reached: its slot is its own. @internal */
  protected late(): never {
    throw new Error('rx-vhost: a detached packet has ended')
  }
}

/** Copies of the first `count` of these slots. @internal */
export function detachSlots(slots: Slots, ids: Uint32Array, count: number): DetachedPacket[] {
  const meta = new Uint32Array(count << SLOT_SHIFT)
  let total = 0
  for (let i = 0; i < count; i++) total += slots.meta[(ids[i] << SLOT_SHIFT) + SLOT_LENGTH]
  const bytes = Buffer.allocUnsafeSlow(total)
  const own: Slots = {
    meta,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, total),
    strict: false,
    packets: [],
    cores: { take: capacity => new BurstCore(own, new Uint32Array(capacity)), give: noop },
    holders: null,
    home: () => 0,
    retain: noop,
    release: noop,
    releaseAll: noop,
    alloc: () => -1,
    resize: () => false,
    dropped: noop,
  }
  const made: DetachedPacket[] = []
  let offset = 0
  for (let i = 0; i < count; i++) {
    const from = ids[i] << SLOT_SHIFT
    const to = i << SLOT_SHIFT
    const length = slots.meta[from + SLOT_LENGTH]
    const start = slots.meta[from + SLOT_OFFSET]
    slots.bytes.copy(bytes, offset, start, start + length)
    meta.set(slots.meta.subarray(from, from + SLOT_WORDS), to)
    meta[to + SLOT_OFFSET] = offset
    meta[to + SLOT_REFERENCES] = 1
    offset += length
    made.push(new DetachedPacket(own, i))
  }
  return made
}
