// Helpers for flow-key.ts: they read the words of a flow's key (flow.ts) from a packet whose headers were found, and
// reverse a key. If `whole` is true, a first fragment is treated like an unfragmented packet.
import {
  FAMILY_ETHERNET,
  FAMILY_IPV4,
  FAMILY_IPV6,
  FAMILY_NONE,
  FAMILY_SHIFT,
  KEY_DESTINATION,
  KEY_DESTINATION6,
  KEY_FRAGMENT,
  KEY_HAS_PORTS,
  KEY_KIND,
  KEY_PORTS,
  KEY_SOURCE,
  KEY_SOURCE6,
} from './flow.js'
import { type Layout, NOTHING } from './layout.js'
import { IpProtocol } from './numbers.js'
import { readAddresses6 } from './quoted.js'

/** Returns the VLAN word of a key. */
export function vlansOf(layout: Layout): number {
  if (layout.vlan < 0) return 0
  const from = layout.view
  const outer = from.getUint16(layout.start + layout.vlan) & 0xfff
  const inner = layout.innerVlan < 0 ? 0 : from.getUint16(layout.start + layout.innerVlan) & 0xfff
  // An outer tag with VLAN 0 has only a priority. In this case the inner tag has the VLAN.
  return outer === 0 ? inner << 16 : (outer << 16) | inner
}

export function readIp4(words: Int32Array, layout: Layout, whole: boolean): void {
  const { view } = layout
  const at = layout.start + layout.ip4
  words[KEY_SOURCE] = view.getInt32(at + 12)
  words[KEY_DESTINATION] = view.getInt32(at + 16)
  readUpper(words, layout, FAMILY_IPV4, view.getUint8(at + 9), whole)
}

export function readIp6(words: Int32Array, layout: Layout, whole: boolean): void {
  const { view, start, fragment, fragmented } = layout
  readAddresses6(words, view, start + layout.ip6)
  // All fragments must have the same key, so the key uses the Next Header field of the Fragment header. In
  // every fragment this field is the type of the first header in the fragmented part.
  const protocol = fragmented && !whole ? view.getUint8(start + fragment) : layout.protocol
  readUpper(words, layout, FAMILY_IPV6, protocol === NOTHING ? IpProtocol.NO_NEXT_HEADER : protocol, whole)
}

function readUpper(
  words: Int32Array,
  layout: Layout,
  family: number,
  protocol: number,
  whole: boolean,
): void {
  let kind = (family << FAMILY_SHIFT) | protocol
  if (layout.fragmented && !whole) kind |= KEY_FRAGMENT
  else if (hasPorts(layout)) {
    kind |= KEY_HAS_PORTS
    words[KEY_PORTS] = layout.view.getInt32(layout.start + portsAt(layout))
  } else if (isEcho(layout)) {
    kind |= KEY_HAS_PORTS
    const identifier = layout.view.getUint16(layout.start + Math.max(layout.icmp, layout.icmp6) + 4)
    words[KEY_PORTS] = (identifier << 16) | identifier
  }
  words[KEY_KIND] = kind
}

export function readEthernet(words: Int32Array, layout: Layout): void {
  const { view, ethernet } = layout
  if (ethernet < 0) {
    words[KEY_KIND] = FAMILY_NONE << FAMILY_SHIFT
    words[KEY_SOURCE] = words[KEY_DESTINATION] = 0
    return
  }
  const at = layout.start + ethernet
  words[KEY_KIND] = (FAMILY_ETHERNET << FAMILY_SHIFT) | layout.type
  words[KEY_PORTS] = (view.getUint16(at + 6) << 16) | view.getUint16(at)
  words[KEY_SOURCE] = view.getInt32(at + 8)
  words[KEY_DESTINATION] = view.getInt32(at + 2)
}

/**
 * Returns the minimum header length of SCTP (RFC 9260), DCCP (RFC 4340) or UDP-Lite (RFC 3828): their headers begin
 * with two ports and have no view. Returns 0 for any other protocol.
 */
const shortest = (protocol: number): number =>
  protocol === IpProtocol.SCTP || protocol === IpProtocol.DCCP ? 12 : protocol === IpProtocol.UDP_LITE ? 8 : 0

function hasPorts(layout: Layout): boolean {
  if (layout.tcp >= 0 || layout.udp >= 0) return true
  const least = shortest(layout.protocol)
  return least > 0 && layout.end - layout.at >= least
}

const portsAt = ({ tcp, udp, at }: Layout): number => (tcp >= 0 ? tcp : udp >= 0 ? udp : at)

/** Whether the packet is an echo request or reply: type 8 or 0 of ICMP, 128 or 129 of ICMPv6. */
function isEcho({ view, start, icmp, icmp6 }: Layout): boolean {
  if (icmp >= 0) return (view.getUint8(start + icmp) & 0xf7) === 0
  return icmp6 >= 0 && view.getUint8(start + icmp6) >>> 1 === 64
}

/** Whether the source has the higher address, or the higher port if both addresses are equal. */
export function isReversed(words: Int32Array, long: boolean): boolean {
  if (long)
    for (let i = 0; i < 3; i++) {
      const order = (words[KEY_SOURCE6 + i] >>> 0) - (words[KEY_DESTINATION6 + i] >>> 0)
      if (order !== 0) return order > 0
    }
  const order = (words[KEY_SOURCE] >>> 0) - (words[KEY_DESTINATION] >>> 0)
  return order === 0 ? words[KEY_PORTS] >>> 16 > (words[KEY_PORTS] & 0xffff) : order > 0
}

export function reverse(words: Int32Array, long: boolean): void {
  swap(words, KEY_SOURCE, KEY_DESTINATION)
  if (long) for (let i = 0; i < 3; i++) swap(words, KEY_SOURCE6 + i, KEY_DESTINATION6 + i)
  words[KEY_PORTS] = (words[KEY_PORTS] << 16) | (words[KEY_PORTS] >>> 16)
}

function swap(words: Int32Array, a: number, b: number): void {
  const word = words[a]
  words[a] = words[b]
  words[b] = word
}
