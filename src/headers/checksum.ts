// Computes the Internet checksum over a packet (RFC 1071), and the status of a header's checksum. A sum adds 16-bit
// words in network byte order. No function in this file allocates.

import { SLOT_HEADER, SLOT_SHIFT } from '../packet/slots.js'
import { type PacketView, slotOf, slotsOf, startOf } from '../packet/view.js'
import type { WritablePacket } from '../packet/writable.js'
import { extensionLength } from './extensions.js'
import type { Layout } from './layout.js'
import { IpProtocol } from './numbers.js'

/**
 * The status of a checksum.
 *
 * - `good`, `bad`: the checksum is correct, or is not.
 * - `none`: the sender did not compute a checksum. UDP's field is zero, or the GRE header has no checksum field.
 * - `partial`: the virtio-net header says that the checksum is still to be computed. Its field contains the sum of the
 *   pseudo-header.
 * - `unverified`: the checksum can't be verified. It covers bytes that are not in this packet (a fragment), or an inner
 *   checksum that is still to be computed, or the packet has a source route.
 */
export type ChecksumStatus = 'good' | 'bad' | 'none' | 'partial' | 'unverified'

/** Flag of virtio_net_hdr: the checksum over the bytes from `checksumStart` on is still to be computed. */
const NEEDS_CHECKSUM = 1
/** Offset of the checksum in a UDP header. */
const UDP_CHECKSUM = 6
/** Means that there is no offset. */
export const NOWHERE = -1
/**
 * IPv4 options for loose and strict source routes (RFC 791 §3.1). In a packet with such an option, the destination
 * field is not the final destination.
 */
const LOOSE_ROUTE = 131
const STRICT_ROUTE = 137

export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

/**
 * Returns the sum of the frame's bytes from `from` to `to`. If their number is odd, a zero byte is added. Throws a
 * `RangeError` if the bytes are outside the frame.
 */
export function sumOf(packet: PacketView, from: number, to: number): number {
  if (!(from >= 0 && from <= to && to <= packet.length))
    throw new RangeError(`bytes ${from} to ${to} are outside a packet of ${packet.length} bytes`)
  const { view } = slotsOf(packet)
  const start = startOf(packet)
  const last = start + to
  let at = start + from
  let sum = 0
  for (; at + 2 <= last; at += 2) sum += view.getUint16(at)
  if (at < last) sum += view.getUint8(at) << 8
  // All words of a slot add up to less than 2^32, so the sum needs folding only here.
  return fold(sum)
}

/**
 * Returns the offset of the first byte covered by the checksum that the guest left for the device to compute, or
 * NOWHERE if there is no such checksum.
 */
export function partialAt(packet: PacketView): number {
  // Reads the slot's metadata, because `packet.header` creates an object for each slot.
  const { meta } = slotsOf(packet)
  const at = (slotOf(packet) << SLOT_SHIFT) + SLOT_HEADER
  return meta[at] & NEEDS_CHECKSUM ? meta[at + 1] >>> 16 : NOWHERE
}

/**
 * Computes the checksum that the guest left for the device to compute. Does nothing for packets with segmentation
 * offload.
 */
export function completeChecksum(packet: WritablePacket): void {
  const at = partialAt(packet)
  if (at === NOWHERE || packet.header.gsoType !== 0) return
  const { checksumOffset } = packet.header
  const field = at + checksumOffset
  if (field + 2 > packet.length) return
  // The field contains the sum of the pseudo-header. In UDP, zero means that there is no checksum (RFC 768).
  const value = ~sumOf(packet, at, packet.length) & 0xffff
  packet.setUint16(field, value === 0 && checksumOffset === UDP_CHECKSUM ? 0xffff : value)
  packet.header.flags &= ~NEEDS_CHECKSUM
}

/**
 * Returns the sum of the pseudo-header of IPv4 (RFC 9293 §3.1) or IPv6 (RFC 8200 §8.1) for `length` bytes of
 * `protocol`.
 */
export function pseudoSum(layout: Layout, protocol: number, length: number): number {
  const { packet, ip4, ip6 } = layout
  const addresses = ip4 >= 0 ? sumOf(packet, ip4 + 12, ip4 + 20) : sumOf(packet, ip6 + 8, ip6 + 40)
  return fold(addresses + protocol + length)
}

/**
 * Whether the packet has a source route. If so, an option or an extension header contains the final destination, and
 * the pseudo-header must use this address instead of the destination field.
 */
export function isRouted(layout: Layout): boolean {
  const { packet, ip4, ip6, at: upper } = layout.transport()
  if (ip4 >= 0) {
    const end = ip4 + ((packet.uint8(ip4) & 0xf) << 2)
    return (
      findOption(packet, ip4 + 20, end, LOOSE_ROUTE) >= 0 ||
      findOption(packet, ip4 + 20, end, STRICT_ROUTE) >= 0
    )
  }
  let type = packet.uint8(ip6 + 6)
  for (let at = ip6 + 40; at < upper; ) {
    if (type === IpProtocol.ROUTING && packet.uint8(at + 3) !== 0) return true
    const length = extensionLength(type, packet.uint8(at + 1))
    type = packet.uint8(at)
    at += length
  }
  return false
}

/**
 * Searches the options of IPv4 (RFC 791 §3.1) or TCP (RFC 9293 §3.1) from `at` to `end` for an option of `kind`.
 * Returns its offset, or a negative number. The search stops at an option whose length goes beyond `end`.
 */
export function findOption(packet: PacketView, at: number, end: number, kind: number): number {
  while (at < end) {
    const found = packet.uint8(at)
    if (found === 0) return NOWHERE
    if (found === 1) {
      at++
      continue
    }
    const length = at + 2 <= end ? packet.uint8(at + 1) : 0
    if (length < 2 || length > end - at) return NOWHERE
    if (found === kind) return at
    at += length
  }
  return NOWHERE
}

/**
 * Returns the status of the checksum over the bytes from `at` to the end of the payload. The checksum includes a
 * pseudo-header unless `protocol` is NOWHERE.
 */
export function statusOf(layout: Layout, at: number, protocol: number): ChecksumStatus {
  const { packet, end } = layout
  const partial = partialAt(packet)
  if (partial === at) return 'partial'
  if (layout.fragmented || (partial > at && partial < end)) return 'unverified'
  let sum = sumOf(packet, at, end)
  if (protocol !== NOWHERE) {
    if (isRouted(layout)) return 'unverified'
    sum = fold(sum + pseudoSum(layout, protocol, end - at))
  }
  return sum === 0xffff ? 'good' : 'bad'
}
