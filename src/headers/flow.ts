// The key of a flow: eleven words for tables, and FlowKey, an object with the same as text and numbers. flow-key.ts reads the
// key of a packet.
import { formatIpv4, formatIpv6, formatMac } from './addresses.js'
import { EtherType, IpProtocol } from './numbers.js'

// The words of a key. Those of IPv4 and Ethernet come first, so that only these are hashed.
/** Protocol or EtherType in the lower bits, FAMILY in the upper. */
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
/** How many numbers of 32 bits a flow's key has. */
export const KEY_WORDS = 11

/** In KEY_KIND. */
export const FAMILY_SHIFT = 24
export const FAMILY_NONE = 0
export const FAMILY_ETHERNET = 1
export const FAMILY_IPV4 = 2
export const FAMILY_IPV6 = 3
/** In KEY_KIND: a fragment. */
export const KEY_FRAGMENT = 1 << 20
/** In KEY_KIND: it has ports, or an echo's identifier. */
export const KEY_HAS_PORTS = 1 << 21

const names: Record<number, string> = Object.fromEntries(
  Object.entries(IpProtocol).map(([name, number]) => [number, name.toLowerCase().replaceAll('_', '-')]),
)

/** The key of a flow. `String(key)` is `tcp 10.0.0.1:1024 > 10.0.0.2:80`. */
export class FlowKey {
  readonly #words: Int32Array
  /** The end that is the source: 0, or 1 if the words are reversed. */
  readonly #source: 0 | 1

  /** @internal */
  constructor(words: Int32Array, at: number, reversed: boolean) {
    this.#words = words.slice(at, at + KEY_WORDS)
    this.#source = reversed ? 1 : 0
  }

  /** As `EtherType`; 0 without an Ethernet header. */
  get etherType(): number {
    const family = this.#family()
    if (family === FAMILY_IPV4) return EtherType.IPV4
    return family === FAMILY_IPV6 ? EtherType.IPV6 : this.#words[KEY_KIND] & 0xffff
  }
  /** As `IpProtocol`; `undefined` if the flow is not IP. */
  get protocol(): number | undefined {
    const isIp = this.#family() === FAMILY_IPV4 || this.#family() === FAMILY_IPV6
    return isIp ? this.#words[KEY_KIND] & 0xff : undefined
  }
  /** Address of the source: `192.0.2.1`, `2001:db8::1`, or, if the flow is not IP, `02:00:00:00:00:01`. */
  get source(): string {
    return addressAt(this.#words, this.#source, this.#family())
  }
  /** Address of the destination, as `source`. */
  get destination(): string {
    return addressAt(this.#words, 1 - this.#source, this.#family())
  }
  /** For an echo both ports are its identifier. `undefined` without ports, as for fragments. */
  get sourcePort(): number | undefined {
    return this.#port(this.#source)
  }
  /** As `sourcePort`. */
  get destinationPort(): number | undefined {
    return this.#port(1 - this.#source)
  }
  /** The flow has fragments, whose ports are not known. */
  get fragments(): boolean {
    return (this.#words[KEY_KIND] & KEY_FRAGMENT) !== 0
  }
  /** The outer VLAN tag's identifier; `undefined` without one. */
  get vlan(): number | undefined {
    return this.#words[KEY_VLANS] >>> 16 || undefined
  }
  /** The inner tag's, of QinQ. */
  get innerVlan(): number | undefined {
    return this.#words[KEY_VLANS] & 0xffff || undefined
  }
  /** The name of its protocol: `tcp`, or `ip-253`, or `ether-0806`. */
  get protocolName(): string {
    const { protocol } = this
    if (protocol !== undefined) return names[protocol] ?? `ip-${protocol}`
    return `ether-${this.etherType.toString(16).padStart(4, '0')}`
  }

  /** `tcp 10.0.0.1:1024 > 10.0.0.2:80`. */
  toString(): string {
    const v6 = this.#family() === FAMILY_IPV6
    const end = (address: string, port: number | undefined): string =>
      port === undefined ? address : v6 ? `[${address}]:${port}` : `${address}:${port}`
    const ends = `${end(this.source, this.sourcePort)} > ${end(this.destination, this.destinationPort)}`
    const vlans = [this.vlan, this.innerVlan].filter(id => id !== undefined).join('.')
    return `${this.protocolName} ${ends}${this.fragments ? ' fragments' : ''}${vlans && ` vlan ${vlans}`}`
  }

  /** The same. */
  toJSON(): string {
    return this.toString()
  }

  /** The same, for `console.log`. */
  get [Symbol.toStringTag](): string {
    return this.toString()
  }

  #family(): number {
    return this.#words[KEY_KIND] >>> FAMILY_SHIFT
  }

  #port(end: number): number | undefined {
    if ((this.#words[KEY_KIND] & KEY_HAS_PORTS) === 0) return undefined
    return end === 0 ? this.#words[KEY_PORTS] >>> 16 : this.#words[KEY_PORTS] & 0xffff
  }
}

// End 0 is the source, end 1 the destination.
function addressAt(words: Int32Array, end: number, family: number): string {
  const low = words[end === 0 ? KEY_SOURCE : KEY_DESTINATION] >>> 0
  if (family === FAMILY_IPV4) return formatIpv4(low)
  if (family === FAMILY_IPV6) {
    const high = end === 0 ? KEY_SOURCE6 : KEY_DESTINATION6
    const bytes = new DataView(new ArrayBuffer(16))
    for (let i = 0; i < 3; i++) bytes.setInt32(4 * i, words[high + i])
    bytes.setUint32(12, low)
    return formatIpv6(new Uint8Array(bytes.buffer))
  }
  if (family !== FAMILY_ETHERNET) return ''
  const ports = words[KEY_PORTS]
  return formatMac((end === 0 ? ports >>> 16 : ports & 0xffff) * 0x100000000 + low)
}
