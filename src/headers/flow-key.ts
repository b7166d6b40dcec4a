// The key of a packet's flow: addresses, protocol and ports, as words that a table compares and a hash that a hostile
// guest can't aim at. A cursor like HeaderReader, whose walk it reads by: what is absent there has no part in a key.
// Nothing is allocated for a packet. It knows no table, and keeps nothing.
//
// Every packet has a flow. IP: addresses and protocol, and of TCP, UDP, SCTP, DCCP and UDP-Lite the ports, of an echo its
//   identifier. A fragment, the first one too, has no ports, so that all pieces of a datagram are one flow. What is not
//   IP, or lies about it, goes by its Ethernet addresses and EtherType; what has not even those is one flow of its own.
// VLANs. Two flows are two if their tags differ; a tag with VLAN 0 is none, as IEEE 802.1Q says.
import { getRandomValues } from 'node:crypto'
import type { PacketView } from '../packet-view.js'
import {
  FAMILY_ETHERNET,
  FAMILY_IPV4,
  FAMILY_IPV6,
  FAMILY_NONE,
  FAMILY_SHIFT,
  FlowKey,
  KEY_DESTINATION,
  KEY_DESTINATION6,
  KEY_FRAGMENT,
  KEY_HAS_PORTS,
  KEY_KIND,
  KEY_PORTS,
  KEY_SOURCE,
  KEY_SOURCE6,
  KEY_VLANS,
  KEY_WORDS,
} from './flow.js'
import { type Layout, NOTHING } from './layout.js'
import { IpProtocol } from './numbers.js'
import { HeaderReader } from './reader.js'
import { sipHash } from './sip-hash.js'

/** The words that IPv4 and Ethernet have; the rest is zero. */
const SHORT_KEY = 5

/** What a `FlowKeyReader` can be told. */
export interface FlowKeyOptions {
  /** One flow for each direction. Without, both directions are one. */
  directed?: boolean
  /** Do VLANs tell flows apart? Default true. */
  vlan?: boolean
  /** Two numbers of 32 bits that hashes depend on; random unless they must be the same elsewhere. Keep them secret. */
  seed?: readonly [number, number]
}

/**
 * Reads the key of packets' flows: `key.of(packet)`, then `key.words` and `key.hash`. Made once, used for any number of
 * packets; it allocates nothing for one. `key.reader` looks at the same packet.
 */
export class FlowKeyReader {
  /** The key of the packet that was looked at last: `KEY_WORDS` numbers of 32 bits. Replaced by the next `of()`. */
  readonly words = new Int32Array(KEY_WORDS)
  /** A signed number of 32 bits. */
  hash = 0
  /** Both directions have the same key; this packet goes from the key's destination to its source. */
  reversed = false
  /** The headers of the same packet. */
  readonly reader: HeaderReader
  readonly #directed: boolean
  readonly #vlan: boolean
  readonly #key0: number
  readonly #key1: number

  constructor({ directed = false, vlan = true, seed }: FlowKeyOptions = {}, reader = new HeaderReader()) {
    const [key0, key1] = seed ?? getRandomValues(new Int32Array(2))
    this.reader = reader
    this.#directed = directed
    this.#vlan = vlan
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Looks at `packet`. Returns itself. */
  of(packet: PacketView): this {
    const { words } = this
    const layout = this.reader.of(packet).layout.transport()
    words[KEY_VLANS] = this.#vlan ? vlansOf(layout) : 0
    words[KEY_PORTS] = 0
    if (layout.ip4 >= 0) readIp4(words, layout)
    else if (layout.ip6 >= 0) readIp6(words, layout)
    else readEthernet(words, layout)
    const long = words[KEY_KIND] >>> FAMILY_SHIFT === FAMILY_IPV6
    if (!long) words.fill(0, SHORT_KEY)
    this.reversed = !this.#directed && isReversed(words, long)
    if (this.reversed) reverse(words, long)
    this.hash = sipHash(words, long ? KEY_WORDS : SHORT_KEY, this.#key0, this.#key1)
    return this
  }

  /** The key to be read by people, as this packet goes; an allocation. */
  toKey(): FlowKey {
    return new FlowKey(this.words, 0, this.reversed)
  }
}

function vlansOf(layout: Layout): number {
  if (layout.vlan < 0) return 0
  const from = layout.view
  const outer = from.getUint16(layout.start + layout.vlan) & 0xfff
  const inner = layout.innerVlan < 0 ? 0 : from.getUint16(layout.start + layout.innerVlan) & 0xfff
  // Where a tag says nothing but a priority the other one is the VLAN.
  return outer === 0 ? inner << 16 : (outer << 16) | inner
}

function readIp4(words: Int32Array, layout: Layout): void {
  const { view, fragmented } = layout
  const at = layout.start + layout.ip4
  words[KEY_SOURCE] = view.getInt32(at + 12)
  words[KEY_DESTINATION] = view.getInt32(at + 16)
  readUpper(words, layout, FAMILY_IPV4, fragmented ? view.getUint8(at + 9) : layout.protocol)
}

function readIp6(words: Int32Array, layout: Layout): void {
  const { view, start, fragment, fragmented } = layout
  const at = start + layout.ip6
  for (let i = 0; i < 3; i++) {
    words[KEY_SOURCE6 + i] = view.getInt32(at + 8 + 4 * i)
    words[KEY_DESTINATION6 + i] = view.getInt32(at + 24 + 4 * i)
  }
  words[KEY_SOURCE] = view.getInt32(at + 20)
  words[KEY_DESTINATION] = view.getInt32(at + 36)
  // Every piece says in its Fragment header what the first one begins with.
  const protocol = fragmented ? view.getUint8(start + fragment) : layout.protocol
  readUpper(words, layout, FAMILY_IPV6, protocol === NOTHING ? IpProtocol.NO_NEXT_HEADER : protocol)
}

function readUpper(words: Int32Array, layout: Layout, family: number, protocol: number): void {
  let kind = (family << FAMILY_SHIFT) | protocol
  if (layout.fragmented) kind |= KEY_FRAGMENT
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

function readEthernet(words: Int32Array, layout: Layout): void {
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

/** The shortest header of a protocol that begins with two ports and is not walked: RFC 9260, 4340, 3828. */
const shortest = (protocol: number): number =>
  protocol === IpProtocol.SCTP || protocol === IpProtocol.DCCP ? 12 : protocol === IpProtocol.UDP_LITE ? 8 : 0

function hasPorts(layout: Layout): boolean {
  if (layout.tcp >= 0 || layout.udp >= 0) return true
  const least = shortest(layout.protocol)
  return least > 0 && layout.end - layout.at >= least
}

const portsAt = ({ tcp, udp, at }: Layout): number => (tcp >= 0 ? tcp : udp >= 0 ? udp : at)

/** An echo or its answer: ICMP 8 and 0, ICMPv6 128 and 129. */
function isEcho({ view, start, icmp, icmp6 }: Layout): boolean {
  if (icmp >= 0) return (view.getUint8(start + icmp) & 0xf7) === 0
  return icmp6 >= 0 && view.getUint8(start + icmp6) >>> 1 === 64
}

// The end whose numbers are lower is the source, addresses before ports.
function isReversed(words: Int32Array, long: boolean): boolean {
  if (long)
    for (let i = 0; i < 3; i++) {
      const order = (words[KEY_SOURCE6 + i] >>> 0) - (words[KEY_DESTINATION6 + i] >>> 0)
      if (order !== 0) return order > 0
    }
  const order = (words[KEY_SOURCE] >>> 0) - (words[KEY_DESTINATION] >>> 0)
  return order === 0 ? words[KEY_PORTS] >>> 16 > (words[KEY_PORTS] & 0xffff) : order > 0
}

function reverse(words: Int32Array, long: boolean): void {
  swap(words, KEY_SOURCE, KEY_DESTINATION)
  if (long) for (let i = 0; i < 3; i++) swap(words, KEY_SOURCE6 + i, KEY_DESTINATION6 + i)
  words[KEY_PORTS] = (words[KEY_PORTS] << 16) | (words[KEY_PORTS] >>> 16)
}

function swap(words: Int32Array, a: number, b: number): void {
  const word = words[a]
  words[a] = words[b]
  words[b] = word
}
