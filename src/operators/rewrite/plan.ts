// The changes of `rewrite`: checked and converted once for a spec, then made in each packet. IEEE 802.1Q (tags), RFC 1812
// §5.3.1 (time to live), 3022 and 5508 (addresses, ports, ICMP queries).
import { ipv4Address, ipv6Address, macAddress } from '../../headers/addresses.js'
import { EtherType } from '../../headers/numbers.js'
import type { HeaderReader } from '../../headers/reader.js'
import type { HeaderWriter } from '../../headers/writer.js'
import type { WritablePacket } from '../../packet/writable.js'

/** A tag of IEEE 802.1Q. */
export interface VlanTag {
  /** VLAN identifier, 0 to 4095. */
  identifier: number
  /** Priority code point, 0 to 7. Default 0. */
  priority?: number
  /** Drop eligible indicator. Default false. */
  dropEligible?: boolean
  /** Tag protocol identifier: 0x8100 (default), 0x88a8 for the outer tag of QinQ. */
  protocol?: number
}

/** The new address and port of one end of a flow. */
export interface RewriteEndpoint {
  /** IPv4 or IPv6, as text. In a packet of the other version neither address nor port is changed. */
  address?: string
  /** Of TCP and UDP, and the identifier of ICMP echoes: of requests in `source`, of replies in `destination`. */
  port?: number
}

/** What to change. A field that a packet does not have is left out. */
export interface RewriteSpec {
  /** `02:00:00:00:00:01`, or a number of 48 bits. */
  sourceMac?: string | number
  /** As `sourceMac`. */
  destinationMac?: string | number
  /** Removes the outer tag, if there is one, before `setVlan` and `pushVlan`. */
  popVlan?: boolean
  /** Changes the outer tag, if there is one. */
  setVlan?: Partial<VlanTag>
  /** Adds an outer tag. */
  pushVlan?: VlanTag
  /** Decrements IPv4's time to live or IPv6's hop limit. A packet for which it would become 0 is dropped. */
  decrementTtl?: boolean
  /** The end that sends the packet. */
  source?: RewriteEndpoint
  /** The end that receives it. */
  destination?: RewriteEndpoint
}

const DROP_ELIGIBLE = 0x1000
const VLAN_BYTES = 4
const MAC_BYTES = 6

/** ICMP and ICMPv6 types of echoes. */
const ECHO = { source: { 4: 8, 6: 128 }, destination: { 4: 0, 6: 129 } } as const

export class RewritePlan {
  readonly #sourceMac: Uint8Array | null
  readonly #destinationMac: Uint8Array | null
  readonly #popVlan: boolean
  readonly #setVlan: Partial<VlanTag> | undefined
  readonly #pushVlan: VlanTag | undefined
  readonly #decrementTtl: boolean
  readonly #source: EndpointPlan | null
  readonly #destination: EndpointPlan | null

  constructor(spec: RewriteSpec) {
    const { setVlan, pushVlan, popVlan = false, decrementTtl = false } = spec
    this.#sourceMac = macOf('sourceMac', spec.sourceMac)
    this.#destinationMac = macOf('destinationMac', spec.destinationMac)
    for (const tag of [setVlan, pushVlan]) if (tag !== undefined) checkTag(tag)
    if (pushVlan !== undefined && pushVlan.identifier === undefined)
      throw new TypeError('pushVlan needs an identifier')
    this.#popVlan = popVlan
    this.#setVlan = setVlan && { ...setVlan }
    this.#pushVlan = pushVlan && { ...pushVlan }
    this.#decrementTtl = decrementTtl
    this.#source = spec.source === undefined ? null : new EndpointPlan('source', spec.source)
    this.#destination =
      spec.destination === undefined ? null : new EndpointPlan('destination', spec.destination)
  }

  /** Would the time to live become 0? `reader` is at the packet. */
  expires(reader: HeaderReader): boolean {
    if (!this.#decrementTtl) return false
    const hops = reader.ipv4?.timeToLive ?? reader.ipv6?.hopLimit
    return hops !== undefined && hops <= 1
  }

  write(packet: WritablePacket, writer: HeaderWriter): void {
    writer.of(packet)
    if (this.#popVlan && writer.vlan !== undefined) popVlan(packet)
    if (this.#setVlan !== undefined) setVlan(writer.of(packet), this.#setVlan)
    if (this.#pushVlan !== undefined && writer.of(packet).ethernet !== undefined)
      pushVlan(packet, this.#pushVlan)
    const { ethernet, ipv4, ipv6 } = writer.of(packet)
    if (ethernet === undefined) return
    if (this.#destinationMac !== null) packet.set(this.#destinationMac, 0)
    if (this.#sourceMac !== null) packet.set(this.#sourceMac, MAC_BYTES)
    if (this.#decrementTtl && ipv4 !== undefined) ipv4.timeToLive--
    if (this.#decrementTtl && ipv6 !== undefined) ipv6.hopLimit--
    if (this.#source !== null) this.#source.write(writer)
    if (this.#destination !== null) this.#destination.write(writer)
  }
}

/** A `RewriteEndpoint`, checked and converted. */
class EndpointPlan {
  readonly #end: 'source' | 'destination'
  /** As a signed number: V8 may allocate an object for a number above 2^31. */
  readonly #ipv4: number | null = null
  readonly #ipv6: Uint8Array | null = null
  readonly #port: number | undefined

  constructor(end: 'source' | 'destination', { address, port }: RewriteEndpoint) {
    this.#end = end
    if (address?.includes(':')) this.#ipv6 = ipv6Address(address)
    else if (address !== undefined) this.#ipv4 = ipv4Address(address) | 0
    if (port !== undefined) within(`${end}.port`, port, 0xffff)
    this.#port = port
  }

  write(writer: HeaderWriter): void {
    const { ipv4, ipv6 } = writer
    const isSource = this.#end === 'source'
    if (this.#ipv4 !== null) {
      if (ipv4 === undefined) return
      if (isSource) ipv4.sourceAddress = this.#ipv4
      else ipv4.destinationAddress = this.#ipv4
    } else if (this.#ipv6 !== null) {
      if (ipv6 === undefined) return
      if (isSource) ipv6.setSource(this.#ipv6)
      else ipv6.setDestination(this.#ipv6)
    }
    if (this.#port !== undefined) this.#writePort(writer, this.#port)
  }

  #writePort(writer: HeaderWriter, port: number): void {
    const header = writer.tcp ?? writer.udp
    const echo = ECHO[this.#end]
    if (header !== undefined) {
      if (this.#end === 'source') header.sourcePort = port
      else header.destinationPort = port
    } else if (writer.icmp?.type === echo[4]) writer.icmp.identifier = port
    else if (writer.icmpv6?.type === echo[6]) writer.icmpv6.identifier = port
  }
}

// Adding or removing a tag moves the two MAC addresses; prepend() and trimFront() adjust the offsets in the virtio-net header.

function pushVlan(packet: WritablePacket, tag: VlanTag): void {
  const { identifier, priority = 0, dropEligible = false, protocol = EtherType.VLAN } = tag
  packet.prepend(VLAN_BYTES)
  // By 16 bits: V8 may allocate an object for a number of 32 bits.
  for (let at = 0; at < 12; at += 2) packet.setUint16(at, packet.uint16(at + VLAN_BYTES))
  packet.setUint16(12, protocol)
  packet.setUint16(14, (priority << 13) | (dropEligible ? DROP_ELIGIBLE : 0) | identifier)
}

function popVlan(packet: WritablePacket): void {
  for (let at = 14; at >= VLAN_BYTES; at -= 2) packet.setUint16(at, packet.uint16(at - VLAN_BYTES))
  packet.trimFront(VLAN_BYTES)
}

function setVlan({ vlan }: HeaderWriter, { identifier, priority, dropEligible, protocol }: Partial<VlanTag>) {
  if (vlan === undefined) return
  if (identifier !== undefined) vlan.vlanIdentifier = identifier
  if (priority !== undefined) vlan.priorityCodePoint = priority
  if (dropEligible !== undefined) vlan.dropEligible = dropEligible
  if (protocol !== undefined) vlan.tagProtocolIdentifier = protocol
}

function checkTag({ identifier = 0, priority = 0, protocol = 0 }: Partial<VlanTag>): void {
  within('VLAN identifier', identifier, 0xfff)
  within('VLAN priority', priority, 7)
  within('VLAN protocol', protocol, 0xffff)
}

function macOf(name: string, address: string | number | undefined): Uint8Array | null {
  if (address === undefined) return null
  const number = typeof address === 'string' ? macAddress(address) : address
  within(name, number, 2 ** 48 - 1)
  return Uint8Array.from({ length: MAC_BYTES }, (_, i) => Math.floor(number / 2 ** (40 - 8 * i)) & 0xff)
}

function within(name: string, value: number, most: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most))
    throw new RangeError(`${name} is a number from 0 to ${most}, not ${value}`)
}
