// Writes words of a packet, and returns by how much the sum of a checksum over them changes: the term that RFC 1624 eqn. 3
// adds, folded; 0 if the words were equal. For writable-layout.ts. A position is checked once, for reading and writing.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import { fold } from './checksum.js'

/** The change of a word from `before` to `after`. */
export const changeOf = (before: number, after: number): number => fold((~before & 0xffff) + after)

/** Writes the bits of `mask` in the word at `at`. */
export function put(packet: PacketView, at: number, value: number, mask = 0xffff): number {
  const place = placeOf(packet, at, 2)
  const { view } = slotsOf(packet)
  const before = view.getUint16(place)
  const after = (before & ~mask) | (value & mask)
  view.setUint16(place, after)
  return before === after ? 0 : changeOf(before, after)
}

/** Writes two words. In signed numbers, which need no double. */
export function putLong(packet: PacketView, at: number, value: number): number {
  const place = placeOf(packet, at, 4)
  const { view } = slotsOf(packet)
  const before = view.getInt32(place)
  const after = value | 0
  view.setInt32(place, after)
  if (before === after) return 0
  return fold((~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff))
}
