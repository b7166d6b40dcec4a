// The key of a flow. A table stores the key as eleven words. FlowKey is an object that gives the same key as text and
// numbers. flow-key.ts reads the key of a packet.
import { formatIpv4, formatIpv6, formatMac } from './addresses.js'
import { EtherType, IpProtocol } from './numbers.js'

// Indexes of a key's words. The words of IPv4 and Ethernet keys come first, so that the hash of such a key need not
// read the other words.
/** Protocol or EtherType in the lower bits, address family (FAMILY_…) in the upper bits. */
export const KEY_KIND = 0
/** Outer VLAN in the upper 16 bits, inner VLAN in the lower. */
export const KEY_VLANS = 1
/** Source and destination port. In an Ethernet key: the upper 16 bits of both addresses. */
export const KEY_PORTS = 2
/** The last 32 bits of the source address; KEY_DESTINATION has the last 32 bits of the destination. */
export const KEY_SOURCE = 3
export const KEY_DESTINATION = 4
/** The first 96 bits of the IPv6 source address; KEY_DESTINATION6 has the same for the destination. */
export const KEY_SOURCE6 = 5
export const KEY_DESTINATION6 = 8
/** Number of 32-bit words in a flow's key. */
export const KEY_WORDS = 11

/** Position of the address family in KEY_KIND. */
export const FAMILY_SHIFT = 24
export const FAMILY_NONE = 0
export const FAMILY_ETHERNET = 1
export const FAMILY_IPV4 = 2
export const FAMILY_IPV6 = 3
/** Flag in KEY_KIND: the flow has fragments. */
export const KEY_FRAGMENT = 1 << 20
/** Flag in KEY_KIND: the key has ports, or the identifier of an echo message. */
export const KEY_HAS_PORTS = 1 << 21

const names: Record<number, string> = Object.fromEntries(
  Object.entries(IpProtocol).map(([name, number]) => [number, name.toLowerCase().replaceAll('_', '-')]),
)

/** The key of a flow. `String(key)` is `tcp 10.0.0.1:1024 > 10.0.0.2:80`. */
export class FlowKey {
  readonly #words: Int32Array
  /** Index of the source: 0, or 1 if source and destination are swapped in the words. */
  readonly #source: 0 | 1

  /** @internal */
  constructor(words: Int32Array, at: number, reversed: boolean) {
    this.#words = words.slice(at, at + KEY_WORDS)
    this.#source = reversed ? 1 : 0
  }

  /** The EtherType (see `EtherType`). 0 if the packets have neither an IP nor an Ethernet header. */
  get etherType(): number {
    const family = this.#family()
    if (family === FAMILY_IPV4) return EtherType.IPV4
    return family === FAMILY_IPV6 ? EtherType.IPV6 : this.#words[KEY_KIND] & 0xffff
  }
  /** The IP protocol (see `IpProtocol`), or `undefined` if the flow is not IP. */
  get protocol(): number | undefined {
    const isIp = this.#family() === FAMILY_IPV4 || this.#family() === FAMILY_IPV6
    return isIp ? this.#words[KEY_KIND] & 0xff : undefined
  }
  /**
   * Address of the source, such as `192.0.2.1` or `2001:db8::1`. If the flow is not IP, a MAC address such as
   * `02:00:00:00:00:01`.
   */
  get source(): string {
    return addressAt(this.#words, this.#source, this.#family())
  }
  /** Address of the destination, in the same form as `source`. */
  get destination(): string {
    return addressAt(this.#words, 1 - this.#source, this.#family())
  }
  /**
   * The source port. In a flow of echo messages both ports are their identifier. `undefined` if the flow has no ports,
   * for example a flow of fragments.
   */
  get sourcePort(): number | undefined {
    return this.#port(this.#source)
  }
  /** The destination port, with the same exceptions as `sourcePort`. */
  get destinationPort(): number | undefined {
    return this.#port(1 - this.#source)
  }
  /** Whether the flow has fragments. Their ports are not known. */
  get fragments(): boolean {
    return (this.#words[KEY_KIND] & KEY_FRAGMENT) !== 0
  }
  /** The identifier of the outer VLAN tag, or `undefined` if there is no tag. */
  get vlan(): number | undefined {
    return this.#words[KEY_VLANS] >>> 16 || undefined
  }
  /** The identifier of the inner VLAN tag (QinQ), or `undefined` if there is no inner tag. */
  get innerVlan(): number | undefined {
    return this.#words[KEY_VLANS] & 0xffff || undefined
  }
  /** The name of the protocol: `tcp`, or `ip-253`, or `ether-0806`. */
  get protocolName(): string {
    const { protocol } = this
    if (protocol !== undefined) return names[protocol] ?? `ip-${protocol}`
    return `ether-${this.etherType.toString(16).padStart(4, '0')}`
  }

  /** Returns the key as text: `tcp 10.0.0.1:1024 > 10.0.0.2:80`. */
  toString(): string {
    const v6 = this.#family() === FAMILY_IPV6
    const end = (address: string, port: number | undefined): string =>
      port === undefined ? address : v6 ? `[${address}]:${port}` : `${address}:${port}`
    const ends = `${end(this.source, this.sourcePort)} > ${end(this.destination, this.destinationPort)}`
    const vlans = [this.vlan, this.innerVlan].filter(id => id !== undefined).join('.')
    return `${this.protocolName} ${ends}${this.fragments ? ' fragments' : ''}${vlans && ` vlan ${vlans}`}`
  }

  /** Returns the same text as `toString()`. */
  toJSON(): string {
    return this.toString()
  }

  /** The same text as `toString()`, for `console.log`. */
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

// Returns an address as text. `end` is 0 for the words' source and 1 for their destination.
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
