// Writes words of a packet and says by how much a checksum's sum over them changes: what RFC 1624 eqn. 3 adds to it,
// folded; 0 when they are as they were. Below writable-layout.ts, which knows which checksums those are. A place is looked
// up and checked once, for reading and for writing.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import { fold } from './checksum.js'

/** Of a word that goes from `before` to `after`. */
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

/** Writes two words. Signed numbers, which need no double. */
export function putLong(packet: PacketView, at: number, value: number): number {
  const place = placeOf(packet, at, 4)
  const { view } = slotsOf(packet)
  const before = view.getInt32(place)
  const after = value | 0
  view.setInt32(place, after)
  if (before === after) return 0
  return fold((~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff))
}
