// A packet as a firewall sees it: a cursor that says what its rules ask for, what can't be known, and whether its headers
// lie. By the walk of src/headers: what is cut off or does not fit is absent, and a packet whose headers should be there
// and are not is malformed. It knows no rules.

import { extensionLength } from '../../headers/extensions.js'
import {
  FAMILY_IPV4,
  FAMILY_IPV6,
  FAMILY_SHIFT,
  KEY_DESTINATION,
  KEY_DESTINATION6,
  KEY_HAS_PORTS,
  KEY_KIND,
  KEY_PORTS,
  KEY_SOURCE,
  KEY_SOURCE6,
  KEY_VLANS,
} from '../../headers/flow.js'
import type { FlowKeyReader } from '../../headers/index.js'
import { EtherType, IpProtocol, TcpFlag } from '../../headers/index.js'
import { type Layout, NOTHING } from '../../headers/layout.js'
import { WITH_PORTS } from '../../headers/numbers.js'

const TAGS: readonly number[] = [EtherType.VLAN, EtherType.SERVICE_VLAN, EtherType.OLD_SERVICE_VLAN]

export class Subject {
  readonly #key: FlowKeyReader
  readonly #layout: Layout
  readonly #words: Int32Array

  /** `key` has to give the first piece of a datagram its ports. */
  constructor(key: FlowKeyReader) {
    this.#key = key
    this.#layout = key.reader.layout
    this.#words = key.words
  }

  get isIpv4(): boolean {
    return this.#words[KEY_KIND] >>> FAMILY_SHIFT === FAMILY_IPV4
  }
  get isIpv6(): boolean {
    return this.#words[KEY_KIND] >>> FAMILY_SHIFT === FAMILY_IPV6
  }
  /** Behind all tags. */
  get etherType(): number {
    return this.#layout.type
  }
  get vlan(): number {
    return this.#words[KEY_VLANS] >>> 16
  }
  /** NOTHING if it is not IP. */
  get protocol(): number {
    return this.#layout.ip4 >= 0 || this.#layout.ip6 >= 0 ? this.#words[KEY_KIND] & 0xff : NOTHING
  }
  /** A later piece of an IPv6 datagram, whose first piece has extension headers before what it carries. */
  get protocolUnknown(): boolean {
    return this.isLaterPiece && this.isIpv6 && extensionLength(this.protocol, 0) > 0
  }
  get hasPorts(): boolean {
    return WITH_PORTS.includes(this.protocol) && (this.#words[KEY_KIND] & KEY_HAS_PORTS) !== 0
  }
  /** It may have ports that are in another piece. */
  get portsUnknown(): boolean {
    return this.isLaterPiece && (this.protocolUnknown || WITH_PORTS.includes(this.protocol))
  }
  get sourcePort(): number {
    const ports = this.#words[KEY_PORTS]
    return this.#key.reversed ? ports & 0xffff : ports >>> 16
  }
  get destinationPort(): number {
    const ports = this.#words[KEY_PORTS]
    return this.#key.reversed ? ports >>> 16 : ports & 0xffff
  }
  /** 32 bits of an address, 0 to 3 from the network's on; IPv4 has only the last. */
  addressWord(source: boolean, index: number): number {
    const first = source !== this.#key.reversed
    if (index === 3) return this.#words[first ? KEY_SOURCE : KEY_DESTINATION]
    return this.#words[(first ? KEY_SOURCE6 : KEY_DESTINATION6) + index]
  }

  /** A piece of a datagram, which is not the first: what it carries has no header. */
  get isLaterPiece(): boolean {
    const { ip4, fragment, fragmented, protocol, view, start } = this.#layout
    if (!fragmented) return false
    if (ip4 >= 0) return protocol === NOTHING
    return view.getUint16(start + fragment + 2) >>> 3 !== 0
  }
  /** The first of several pieces. */
  get isFirstPiece(): boolean {
    return this.#layout.fragmented && !this.isLaterPiece
  }

  /** TCP's control bits, or NOTHING. */
  get tcpFlags(): number {
    const { tcp, view, start } = this.#layout
    return tcp < 0 ? NOTHING : view.getUint8(start + tcp + 13)
  }

  /** No receiver should take it: a header that should be there is not, or is cut off, or contradicts itself. */
  get isMalformed(): boolean {
    const { ethernet, ip4, ip6, type } = this.#layout
    if (ethernet < 0 || TAGS.includes(type)) return true
    if (ip4 < 0 && ip6 < 0) return type === EtherType.IPV4 || type === EtherType.IPV6
    if (this.isLaterPiece) return this.#overwritesTcp()
    return this.#upperIsMalformed()
  }

  #upperIsMalformed(): boolean {
    const { protocol, tcp, udp, icmp, icmp6 } = this.#layout
    switch (protocol) {
      // Extension headers that do not end.
      case NOTHING:
        return true
      case IpProtocol.TCP:
        return tcp < 0 || isNonsense(this.tcpFlags)
      case IpProtocol.UDP:
        return udp < 0
      case IpProtocol.ICMP:
        return icmp < 0
      case IpProtocol.ICMPV6:
        return icmp6 < 0
      default:
        return WITH_PORTS.includes(protocol) && !this.hasPorts
    }
  }

  // RFC 3128: put together behind a harmless first piece it has other control bits.
  #overwritesTcp(): boolean {
    const { ip4, view, start } = this.#layout
    return (
      ip4 >= 0 &&
      view.getUint8(start + ip4 + 9) === IpProtocol.TCP &&
      (view.getUint16(start + ip4 + 6) & 0x1fff) === 1
    )
  }
}

/** Begins and ends at once, or neither. */
function isNonsense(flags: number): boolean {
  if ((flags & TcpFlag.SYN) !== 0) return (flags & (TcpFlag.FIN | TcpFlag.RST)) !== 0
  return (flags & (TcpFlag.ACK | TcpFlag.RST)) === 0
}
