// Functions that write words of a packet, for writable-layout.ts. Each returns the change of the checksum's sum over
// these words: the folded term that RFC 1624 eqn. 3 adds, or 0 if the words did not change. Each function checks the
// position only once, although it reads and writes the words.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import { fold } from './checksum.js'

/**
 * Returns the change of the sum when a word changes from `before` to `after`. The change from 0xffff to 0 is the other
 * zero of ones' complement, 0xffff: the sum is equal, but a checksum over nothing but zeros must follow.
 */
export const changeOf = (before: number, after: number): number => fold((~before & 0xffff) + after) || 0xffff

/** Writes only those bits of the word at `at` that are set in `mask`. */
export function put(packet: PacketView, at: number, value: number, mask = 0xffff): number {
  const place = placeOf(packet, at, 2)
  const { view } = slotsOf(packet)
  const before = view.getUint16(place)
  const after = (before & ~mask) | (value & mask)
  view.setUint16(place, after)
  return before === after ? 0 : changeOf(before, after)
}

/** Writes two words. Uses signed 32-bit numbers, because V8 stores larger integers as doubles. */
export function putLong(packet: PacketView, at: number, value: number): number {
  const place = placeOf(packet, at, 4)
  const { view } = slotsOf(packet)
  const before = view.getInt32(place)
  const after = value | 0
  view.setInt32(place, after)
  if (before === after) return 0
  return fold((~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff)) || 0xffff
}
