// Packets of each form out of bytes, in a pool whose neighbouring bytes can be chosen.

import { plainPoolArrays } from '../../../src/data/pool/arrays.js'
import { Pool } from '../../../src/data/pool/pool.js'
import { detachSlots } from '../../../src/packet/detached.js'
import { Packet, SLOT_OFFSET, SLOT_SHIFT } from '../../../src/packet/packet.js'
import { writablesOf, writeIn } from '../../../src/packet/rewriting.js'
import type { PacketView } from '../../../src/packet/view.js'
import type { WritablePacket } from '../../../src/packet/writable.js'

export const pool = new Pool(plainPoolArrays(1 << 20), { strict: true })

function slotWith(frame: Uint8Array, around: number): number {
  const slot = pool.alloc(frame.length, 0)
  const at = pool.meta[(slot << SLOT_SHIFT) + SLOT_OFFSET]
  pool.bytes.fill(around, at - 64, at + frame.length + 64)
  pool.bytes.set(frame, at)
  return slot
}

/** Calls `use` with a packet of these bytes; in the pool, before and behind it is `around`. */
export function withPacket<T>(frame: Uint8Array, use: (packet: Packet) => T, around = 0xff): T {
  const slot = slotWith(frame, around)
  try {
    return use(new Packet(pool, slot))
  } finally {
    pool.release(slot)
  }
}

/** The bytes that `write` made of the frame. */
export function rewritten(frame: Uint8Array, write: (packet: WritablePacket) => void): Buffer {
  const slot = slotWith(frame, 0xff)
  try {
    writeIn(pool, writablesOf(pool), slot, write)
    return new Packet(pool, slot).toBuffer()
  } finally {
    pool.release(slot)
  }
}

/** Form → calls `use` with the frame in a packet of that form. */
export const forms: Record<string, (frame: Uint8Array, use: (packet: PacketView) => void) => void> = {
  borrowed: (frame, use) => withPacket(frame, use),
  held: (frame, use) =>
    withPacket(frame, packet => {
      const held = packet.retain()
      use(held)
      held.release()
    }),
  detached(frame, use) {
    const slot = slotWith(frame, 0xff)
    const packet = detachSlots(pool, Uint32Array.of(slot), 1).packet(0)
    pool.release(slot)
    use(packet)
  },
  writable: (frame, use) => void rewritten(frame, use),
}
