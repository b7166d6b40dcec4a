// Copies slots and lets a user's function write to them, for operators that change packets. Operators write to copies, never to
// the burst that they received, unless the user has promised that nobody else reads it.

import type { Slots } from './packet.js'
import { PerSlot } from './per-slot.js'
import { NO_SLOT, SLOT_HEADER, SLOT_LENGTH, SLOT_OFFSET, SLOT_SHIFT, SLOT_WORDS } from './slots.js'
import { aim, endPacket } from './view.js'
import { WritablePacket } from './writable.js'

const writables = new PerSlot<WritablePacket>()

/** The writable packets of a pool, one per slot, made at first use so that none is made per packet. @internal */
export const writablesOf = (slots: Slots): (WritablePacket | undefined)[] => writables.of(slots)

/** Calls `write` with the writable packet of `slot`, which ends when the call returns. @internal */
export function writeIn(
  slots: Slots,
  list: (WritablePacket | undefined)[],
  slot: number,
  write: (packet: WritablePacket) => void,
): void {
  let packet = list[slot]
  if (packet === undefined || slots.strict) {
    packet = new WritablePacket(slots, slot)
    list[slot] = packet
  } else aim(packet, slot)
  try {
    write(packet)
  } finally {
    endPacket(packet)
  }
}

/** Copies a slot; or returns NO_SLOT. The copy is charged to the same queue, so that a full sink stalls that queue. @internal */
export function cloneSlot(slots: Slots, slot: number): number {
  const { meta, bytes } = slots
  const from = slot << SLOT_SHIFT
  const length = meta[from + SLOT_LENGTH]
  const clone = slots.alloc(length, slots.home(slot))
  if (clone === NO_SLOT) return NO_SLOT
  const to = clone << SLOT_SHIFT
  bytes.copyWithin(meta[to + SLOT_OFFSET], meta[from + SLOT_OFFSET], meta[from + SLOT_OFFSET] + length)
  for (let word = SLOT_HEADER; word < SLOT_WORDS; word++) meta[to + word] = meta[from + word]
  return clone
}

/** A copy of `slot` that a function rewrites, or a slot with the frame `by` and no offloads; or NO_SLOT. @internal */
export function rewriteSlot(
  slots: Slots,
  slot: number,
  by: Uint8Array | ((packet: WritablePacket) => void),
): number {
  if (typeof by === 'function') {
    const clone = cloneSlot(slots, slot)
    if (clone === NO_SLOT) return NO_SLOT
    try {
      writeIn(slots, writablesOf(slots), clone, by)
    } catch (error) {
      slots.release(clone)
      throw error
    }
    return clone
  }
  const fresh = slots.alloc(by.length, slots.home(slot))
  if (fresh !== NO_SLOT) slots.bytes.set(by, slots.meta[(fresh << SLOT_SHIFT) + SLOT_OFFSET])
  return fresh
}
