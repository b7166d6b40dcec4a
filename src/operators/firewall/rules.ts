// The rules of a firewall: as users write them, and compiled for comparison with a packet. A comparison has three outcomes,
// since some packets do not show every field: a later fragment has no ports. An accepting rule needs YES, a dropping rule
// also takes MAYBE; so no packet passes by hiding a field that a rule matches.
import { isIPv6 } from 'node:net'
import { IpProtocol, ipv4Address, ipv6Address } from '../../headers/index.js'
import type { Subject } from './subject.js'

type OneOrMore<T> = T | readonly T[]
/** `10.0.0.0/8`, `2001:db8::/32`, or a single address. */
export type Prefix = string
/** `80`, or a range `'1024-65535'`. */
export type Ports = number | string
/** Protocols that a rule may name. */
export type ProtocolName = 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp' | 'gre'

/** A rule matches a packet if each of its parts does; of a part that is a list, one value must match. */
export interface FirewallRule {
  /** `count` only counts; the next rules decide. */
  action: 'accept' | 'drop' | 'count'
  /** The name in statistics. Default `rule 1` and so on. */
  name?: string
  /** The pipeline that the packet comes from, as in `firewall(…, { from })`. */
  from?: OneOrMore<string>
  /** Source addresses. */
  source?: OneOrMore<Prefix>
  /** Destination addresses. */
  destination?: OneOrMore<Prefix>
  /** By name, or by number as `IpProtocol`. */
  protocol?: OneOrMore<ProtocolName | number>
  /** Source ports of TCP, UDP, SCTP, DCCP and UDP-Lite. */
  sourcePort?: OneOrMore<Ports>
  /** Destination ports of the same protocols. */
  destinationPort?: OneOrMore<Ports>
  /** Identifier of the outer VLAN tag; 0 for a packet without one. */
  vlan?: OneOrMore<number>
  /** The type after all tags, as `EtherType`: `EtherType.ARP` for instance. */
  etherType?: OneOrMore<number>
}

export const NO = 0
export const MAYBE = 1
export const YES = 2
export type Match = typeof NO | typeof MAYBE | typeof YES

const protocols: Record<ProtocolName, number> = {
  tcp: IpProtocol.TCP,
  udp: IpProtocol.UDP,
  icmp: IpProtocol.ICMP,
  icmpv6: IpProtocol.ICMPV6,
  sctp: IpProtocol.SCTP,
  gre: IpProtocol.GRE,
}

const listOf = <T>(value: OneOrMore<T> | undefined): readonly T[] | null =>
  value === undefined ? null : Array.isArray(value) ? value : [value as T]

/** @internal */
export class CompiledRule {
  readonly action: FirewallRule['action']
  readonly name: string
  packets = 0
  bytes = 0
  readonly #from: readonly string[] | null
  readonly #sources: readonly Network[] | null
  readonly #destinations: readonly Network[] | null
  readonly #protocols: readonly number[] | null
  readonly #sourcePorts: readonly Range[] | null
  readonly #destinationPorts: readonly Range[] | null
  readonly #vlans: readonly number[] | null
  readonly #etherTypes: readonly number[] | null

  constructor(rule: FirewallRule, number: number) {
    if (!['accept', 'drop', 'count'].includes(rule.action))
      throw new TypeError(`a rule accepts, drops or counts, and does not "${rule.action}"`)
    this.action = rule.action
    this.name = rule.name ?? `rule ${number}`
    this.#from = listOf(rule.from)
    this.#sources = listOf(rule.source)?.map(networkOf) ?? null
    this.#destinations = listOf(rule.destination)?.map(networkOf) ?? null
    this.#protocols = listOf(rule.protocol)?.map(protocolOf) ?? null
    this.#sourcePorts = listOf(rule.sourcePort)?.map(rangeOf) ?? null
    this.#destinationPorts = listOf(rule.destinationPort)?.map(rangeOf) ?? null
    this.#vlans = listOf(rule.vlan)
    this.#etherTypes = listOf(rule.etherType)
  }

  /** Does the rule match the packet? MAYBE: not all fields that it needs are in this packet. */
  match(packet: Subject, from: string): Match {
    if (this.#from !== null && !this.#from.includes(from)) return NO
    if (this.#vlans !== null && !this.#vlans.includes(packet.vlan)) return NO
    if (this.#etherTypes !== null && !this.#etherTypes.includes(packet.etherType)) return NO
    if (this.#sources !== null && !anyNetwork(this.#sources, packet, true)) return NO
    if (this.#destinations !== null && !anyNetwork(this.#destinations, packet, false)) return NO
    let match: Match = YES
    if (this.#protocols !== null) {
      if (packet.protocolUnknown) match = MAYBE
      else if (!this.#protocols.includes(packet.protocol)) return NO
    }
    if (this.#sourcePorts === null && this.#destinationPorts === null) return match
    if (packet.portsUnknown) return MAYBE
    if (!packet.hasPorts) return NO
    if (this.#sourcePorts !== null && !anyRange(this.#sourcePorts, packet.sourcePort)) return NO
    if (this.#destinationPorts !== null && !anyRange(this.#destinationPorts, packet.destinationPort))
      return NO
    return match
  }
}

/** Throws a `TypeError` for a rule that is not valid. @internal */
export const compileRules = (rules: readonly FirewallRule[]): readonly CompiledRule[] =>
  rules.map((rule, i) => new CompiledRule(rule, i + 1))

interface Range {
  readonly first: number
  readonly last: number
}

function rangeOf(ports: Ports): Range {
  const [first, last = first] = String(ports).split('-').map(Number)
  const fine = [first, last].every(port => Number.isInteger(port) && port >= 0 && port <= 0xffff)
  if (!fine || first > last || String(ports).split('-').length > 2)
    throw new TypeError(`not a port or a range of ports: ${ports}`)
  return { first, last }
}

function anyRange(ranges: readonly Range[], port: number): boolean {
  for (let i = 0; i < ranges.length; i++) if (port >= ranges[i].first && port <= ranges[i].last) return true
  return false
}

function protocolOf(protocol: ProtocolName | number): number {
  const number = typeof protocol === 'number' ? protocol : protocols[protocol]
  if (!(Number.isInteger(number) && number >= 0 && number <= 255))
    throw new TypeError(
      `not a protocol: ${protocol}; a number of 0 to 255, or ${Object.keys(protocols).join(', ')}`,
    )
  return number
}

/** One word for IPv4, four for IPv6, in the order of an address, each with a mask of the bits that are compared. */
interface Network {
  readonly v6: boolean
  readonly words: Int32Array
  readonly masks: Int32Array
}

function networkOf(prefix: Prefix): Network {
  const [address, length, more] = prefix.split('/')
  const v6 = isIPv6(address)
  const words = v6 ? new Int32Array(4) : Int32Array.of(ipv4Address(address))
  if (v6) {
    const { buffer } = ipv6Address(address)
    for (let i = 0; i < 4; i++) words[i] = new DataView(buffer).getInt32(4 * i)
  }
  const most = 32 * words.length
  const bits = length === undefined ? most : Number(length)
  if (!(Number.isInteger(bits) && bits >= 0 && bits <= most && length !== '') || more !== undefined)
    throw new TypeError(`not an address or a prefix: ${prefix}`)
  const masks = words.map((_, i) => {
    const left = Math.min(Math.max(bits - 32 * i, 0), 32)
    return left === 0 ? 0 : -1 << (32 - left)
  })
  return { v6, masks, words: words.map((word, i) => word & masks[i]) }
}

function anyNetwork(networks: readonly Network[], packet: Subject, source: boolean): boolean {
  for (let i = 0; i < networks.length; i++) if (within(networks[i], packet, source)) return true
  return false
}

function within({ v6, words, masks }: Network, packet: Subject, source: boolean): boolean {
  if (!(v6 ? packet.isIpv6 : packet.isIpv4)) return false
  const first = 4 - words.length
  for (let i = 0; i < words.length; i++)
    if ((packet.addressWord(source, first + i) & masks[i]) !== words[i]) return false
  return true
}
