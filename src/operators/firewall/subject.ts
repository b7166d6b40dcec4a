// A packet as a firewall sees it: a cursor with the fields that rules match, which of them the packet does not show, and
// whether its headers are malformed. src/headers treats a header that is cut off or does not fit as absent; a packet that
// should have that header is malformed.
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

  /** `key` must have the option `firstPieceHasPorts`. */
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
  /** The type after all tags. */
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
  /** A later fragment of an IPv6 datagram whose protocol stands after extension headers, in the first fragment. */
  get protocolUnknown(): boolean {
    return this.isLaterFragment && this.isIpv6 && extensionLength(this.protocol, 0) > 0
  }
  get hasPorts(): boolean {
    return WITH_PORTS.includes(this.protocol) && (this.#words[KEY_KIND] & KEY_HAS_PORTS) !== 0
  }
  /** It may have ports, in another fragment. */
  get portsUnknown(): boolean {
    return this.isLaterFragment && (this.protocolUnknown || WITH_PORTS.includes(this.protocol))
  }
  get sourcePort(): number {
    const ports = this.#words[KEY_PORTS]
    return this.#key.reversed ? ports & 0xffff : ports >>> 16
  }
  get destinationPort(): number {
    const ports = this.#words[KEY_PORTS]
    return this.#key.reversed ? ports >>> 16 : ports & 0xffff
  }
  /** 32 bits of an address, 0 (most significant) to 3; an IPv4 address is word 3. */
  addressWord(source: boolean, index: number): number {
    const first = source !== this.#key.reversed
    if (index === 3) return this.#words[first ? KEY_SOURCE : KEY_DESTINATION]
    return this.#words[(first ? KEY_SOURCE6 : KEY_DESTINATION6) + index]
  }

  /** A fragment that is not the first: it has no transport header. */
  get isLaterFragment(): boolean {
    const { ip4, fragment, fragmented, protocol, view, start } = this.#layout
    if (!fragmented) return false
    if (ip4 >= 0) return protocol === NOTHING
    return view.getUint16(start + fragment + 2) >>> 3 !== 0
  }
  /** The first of several fragments. */
  get isFirstFragment(): boolean {
    return this.#layout.fragmented && !this.isLaterFragment
  }

  /** TCP's control bits, or NOTHING. */
  get tcpFlags(): number {
    const { tcp, view, start } = this.#layout
    return tcp < 0 ? NOTHING : view.getUint8(start + tcp + 13)
  }

  /** A header is missing, cut off, or contradicts itself: no receiver should take the packet. */
  get isMalformed(): boolean {
    const { ethernet, ip4, ip6, type } = this.#layout
    if (ethernet < 0 || TAGS.includes(type)) return true
    if (ip4 < 0 && ip6 < 0) return type === EtherType.IPV4 || type === EtherType.IPV6
    if (this.isLaterFragment) return this.#overwritesTcp()
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

  // A fragment at offset 8 overwrites the control bits in the first fragment (RFC 3128).
  #overwritesTcp(): boolean {
    const { ip4, view, start } = this.#layout
    return (
      ip4 >= 0 &&
      view.getUint8(start + ip4 + 9) === IpProtocol.TCP &&
      (view.getUint16(start + ip4 + 6) & 0x1fff) === 1
    )
  }
}

/** A combination of control bits that no TCP sends. */
function isNonsense(flags: number): boolean {
  if ((flags & TcpFlag.SYN) !== 0) return (flags & (TcpFlag.FIN | TcpFlag.RST)) !== 0
  return (flags & (TcpFlag.ACK | TcpFlag.RST)) === 0
}
