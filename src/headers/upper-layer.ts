// The last stage of a walk (layout.ts): behind IP, over IPv6's extension headers to what they carry. RFC 8200 §4, 9293,
// 768, 792, 4443, 7348, 2784, 2890.
import { extensionLength, MAX_EXTENSIONS } from './extensions.js'
import { type Layout, NOTHING } from './layout.js'
import { IpProtocol } from './numbers.js'

/** GRE's bits 1, 4 and 5, and its version: what has one of them is to be discarded (RFC 2784 §2.2, 2890 §2). */
const GRE_REFUSED = 0x4c07
/** VXLAN's I flag: set where the identifier is valid (RFC 7348 §5). */
const VALID_IDENTIFIER = 0x08

/** @internal */
export function walkUpperLayer(layout: Layout): void {
  if (layout.ip6 >= 0) walkExtensions(layout)
  const { view, at } = layout
  const room = layout.end - at
  const from = layout.start + at
  switch (layout.protocol) {
    case IpProtocol.TCP:
      if (room >= 20) {
        const header = (view.getUint8(from + 12) >>> 2) & 0x3c
        if (header >= 20 && header <= room) layout.tcp = at
      }
      break
    case IpProtocol.UDP:
      if (room >= 8) walkUdp(layout, room)
      break
    case IpProtocol.ICMP:
      if (room >= 8 && layout.ip4 >= 0) layout.icmp = at
      break
    case IpProtocol.ICMPV6:
      if (room >= 8 && layout.ip6 >= 0) layout.icmp6 = at
      break
    case IpProtocol.GRE:
      if (room >= 4) {
        const flags = view.getUint16(from)
        if ((flags & GRE_REFUSED) === 0 && greLength(flags) <= room) layout.gre = at
      }
      break
  }
}

function walkUdp(layout: Layout, room: number): void {
  const { view, at } = layout
  const from = layout.start + at
  const length = view.getUint16(from + 4)
  // The first fragment has the length of the whole datagram.
  if (length < 8 || (length > room && !layout.fragmented)) return
  layout.udp = at
  if (length < room) layout.end = at + length
  if (view.getUint16(from + 2) === layout.vxlanPort && layout.end - at >= 16)
    if (view.getUint8(from + 8) & VALID_IDENTIFIER) layout.vxlan = at + 8
}

function walkExtensions(layout: Layout): void {
  const { view, start, end } = layout
  let { at, protocol } = layout
  for (let count = 0; protocol !== NOTHING; count++) {
    const length = extensionLength(protocol, end - at >= 2 ? view.getUint8(start + at + 1) : 0)
    if (length === 0) break
    // RFC 8200 has no extension header shorter than 8.
    if (count === MAX_EXTENSIONS || end - at < 8 || length > end - at) {
      protocol = NOTHING
      break
    }
    const next = view.getUint8(start + at)
    if (protocol === IpProtocol.FRAGMENT) {
      layout.fragment = at
      const word = view.getUint16(start + at + 2)
      layout.fragmented = (word & 0xfff9) !== 0
      // Behind the header of a later fragment come bytes from the middle of something.
      protocol = word >>> 3 === 0 ? next : NOTHING
    } else protocol = next
    at += length
  }
  layout.protocol = protocol
  layout.at = at
}

/** By its flags: checksum, key, sequence number; each is a word more. @internal */
export const greLength = (flags: number): number =>
  4 + ((flags >>> 13) & 4) + ((flags >>> 11) & 4) + ((flags >>> 10) & 4)
