// What the key of a flow is: eleven words for tables, and the same as text and numbers for people. Which packet has which
// is in flow-key.ts. It knows no packet.
import { formatIpv4, formatIpv6, formatMac } from './addresses.js'
import { EtherType, IpProtocol } from './numbers.js'

// The words of a key. Those of IPv4 and Ethernet come first, so that they are hashed alone.
/** What kind: protocol or EtherType below, FAMILY above. */
export const KEY_KIND = 0
/** Outer and inner VLAN, 16 bits each. */
export const KEY_VLANS = 1
/** Source and destination port; the upper 16 bits of Ethernet addresses. */
export const KEY_PORTS = 2
/** The last 32 bits of either address. */
export const KEY_SOURCE = 3
export const KEY_DESTINATION = 4
/** The first 96 bits of IPv6's source, and then of its destination. */
export const KEY_SOURCE6 = 5
export const KEY_DESTINATION6 = 8
export const KEY_WORDS = 11

/** In KEY_KIND. */
export const FAMILY_SHIFT = 24
export const FAMILY_NONE = 0
export const FAMILY_ETHERNET = 1
export const FAMILY_IPV4 = 2
export const FAMILY_IPV6 = 3
/** In KEY_KIND: a piece of a datagram. */
export const KEY_FRAGMENT = 1 << 20
/** In KEY_KIND: it has ports, or an echo's identifier. */
export const KEY_HAS_PORTS = 1 << 21

const names: Record<number, string> = Object.fromEntries(
  Object.entries(IpProtocol).map(([name, number]) => [number, name.toLowerCase().replaceAll('_', '-')]),
)

/** Which flow packets belong to. `String(key)` is `tcp 10.0.0.1:1024 > 10.0.0.2:80`. */
export class FlowKey {
  /** As `EtherType`; 0 where there is no Ethernet header. */
  readonly etherType: number
  /** As `IpProtocol`; `undefined` for what is not IP. */
  readonly protocol: number | undefined
  /** `192.0.2.1`, `2001:db8::1`, or, of what is not IP, `02:00:00:00:00:01`. */
  readonly source: string
  readonly destination: string
  /** Of an echo, both are its identifier. `undefined` where there are none, as in fragments. */
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
  /** Pieces of datagrams, in which no ports are known. */
  readonly fragments: boolean
  readonly vlan: number | undefined
  readonly innerVlan: number | undefined

  /** @internal */
  constructor(words: Int32Array, at: number, reversed: boolean) {
    const kind = words[at + KEY_KIND]
    const family = kind >>> FAMILY_SHIFT
    const ports = words[at + KEY_PORTS]
    const ends = [addressAt(words, at, 0, family), addressAt(words, at, 1, family)]
    const numbers = kind & KEY_HAS_PORTS ? [ports >>> 16, ports & 0xffff] : []
    if (reversed) {
      ends.reverse()
      numbers.reverse()
    }
    const isIp = family === FAMILY_IPV4 || family === FAMILY_IPV6
    this.etherType =
      family === FAMILY_IPV4 ? EtherType.IPV4 : family === FAMILY_IPV6 ? EtherType.IPV6 : kind & 0xffff
    this.protocol = isIp ? kind & 0xff : undefined
    this.source = ends[0]
    this.destination = ends[1]
    this.sourcePort = numbers[0]
    this.destinationPort = numbers[1]
    this.fragments = (kind & KEY_FRAGMENT) !== 0
    this.vlan = words[at + KEY_VLANS] >>> 16 || undefined
    this.innerVlan = words[at + KEY_VLANS] & 0xffff || undefined
  }

  /** The name of its protocol: `tcp`, or `ip-253`, or `ether-0806`. */
  get protocolName(): string {
    if (this.protocol !== undefined) return names[this.protocol] ?? `ip-${this.protocol}`
    return `ether-${this.etherType.toString(16).padStart(4, '0')}`
  }

  toString(): string {
    const v6 = this.etherType === EtherType.IPV6
    const end = (address: string, port: number | undefined): string =>
      port === undefined ? address : v6 ? `[${address}]:${port}` : `${address}:${port}`
    const ends = `${end(this.source, this.sourcePort)} > ${end(this.destination, this.destinationPort)}`
    const vlans = [this.vlan, this.innerVlan].filter(id => id !== undefined).join('.')
    return `${this.protocolName} ${ends}${this.fragments ? ' fragments' : ''}${vlans && ` vlan ${vlans}`}`
  }
}

// End 0 is the source, end 1 the destination.
function addressAt(words: Int32Array, at: number, end: 0 | 1, family: number): string {
  const low = words[at + (end === 0 ? KEY_SOURCE : KEY_DESTINATION)] >>> 0
  if (family === FAMILY_IPV4) return formatIpv4(low)
  if (family === FAMILY_IPV6) {
    const high = at + (end === 0 ? KEY_SOURCE6 : KEY_DESTINATION6)
    const bytes = new DataView(new ArrayBuffer(16))
    for (let i = 0; i < 3; i++) bytes.setInt32(4 * i, words[high + i])
    bytes.setUint32(12, low)
    return formatIpv6(new Uint8Array(bytes.buffer))
  }
  if (family !== FAMILY_ETHERNET) return ''
  const ports = words[at + KEY_PORTS]
  return formatMac((end === 0 ? ports >>> 16 : ports & 0xffff) * 0x100000000 + low)
}
