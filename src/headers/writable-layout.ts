// Writes into headers, and with each of them into all checksums that cover it, by the difference alone (RFC 1624).
// Below the writable views. It knows which checksum covers what:
//
//   a word of the IPv4 header          the header's own, and those of tunnels around
//   an address                         also TCP's, UDP's or ICMPv6's, by the pseudo-header
//   a word of the transport header     its own, and those around
//   anything inside a tunnel           UDP's around VXLAN, GRE's
//
// A transport checksum that the guest left to be done (virtio 1.2 §5.1.6.2) has the sum of the pseudo-header in its
// field, not inverted: it follows the addresses, and nothing else. What is computed later makes the bytes that it covers
// add up to the same whatever is written there, so tunnels around need no change either.
import type { PacketView } from '../packet-view.js'
import type { WritablePacket } from '../writable-packet.js'
import { fold, isRouted, NOWHERE, partialAt, pseudoSum, sumOf, updated } from './checksum.js'
import { Layout } from './layout.js'
import { IpProtocol } from './numbers.js'

/** Where to write a checksum that is no header's. */
const NO_FIELD = -1
/** A UDP checksum of zero says that there is none: one that comes out as zero is sent as this (RFC 768). */
const UDP_ZERO = 0xffff

export class WritableLayout extends Layout {
  declare packet: WritablePacket
  readonly outer: WritableLayout | null
  /** Where the checksum begins that is still to be done, or NOWHERE. */
  #partial = NOWHERE

  constructor(vxlanPort: number | undefined, outer: WritableLayout | null) {
    super(vxlanPort)
    this.outer = outer
  }

  override aim(packet: PacketView, type: number, at: number, end: number): void {
    super.aim(packet, type, at, end)
    this.#partial = partialAt(packet)
  }

  /** A word that only checksums around this frame cover: Ethernet's, a tag's, ARP's, IPv6's other than addresses. */
  plain(at: number, value: number): void {
    const { packet } = this
    const before = packet.uint16(at)
    packet.setUint16(at, value)
    if (!this.#isPartial(at)) this.outer?.covered(before, packet.uint16(at))
  }

  /** A word of the IPv4 header. */
  ip4Word(at: number, value: number): void {
    const { packet } = this
    const before = packet.uint16(at)
    this.plain(at, value)
    const field = this.ip4 + 10
    this.plain(field, updated(packet.uint16(field), before, packet.uint16(at)))
  }

  /** A word of the pseudo-header as well: of an address, or a length. */
  pseudoWord(at: number, value: number): void {
    const { packet } = this
    const before = packet.uint16(at)
    if (this.ip4 >= 0) this.ip4Word(at, value)
    else this.plain(at, value)
    this.pseudoChanged(before, packet.uint16(at))
  }

  /** What the pseudo-header has changed by a word. */
  pseudoChanged(before: number, after: number): void {
    if (before === after) return
    const { tcp, udp, icmp6 } = this.transport()
    if (tcp >= 0) this.#fix(tcp, tcp + 16, before, after)
    else if (udp >= 0) this.#fix(udp, udp + 6, before, after)
    else if (icmp6 >= 0) this.#fix(icmp6, icmp6 + 2, before, after)
  }

  /** A word of the address that the last hop has in its place: then the pseudo-header's does not change. */
  get isRouted(): boolean {
    return isRouted(this)
  }

  /** A word of a transport header, or of GRE's. */
  upperWord(at: number, value: number): void {
    const { packet } = this
    const before = packet.uint16(at)
    this.plain(at, value)
    this.#ownChecksum(before, packet.uint16(at))
  }

  /** Something inside the tunnel that this frame is changed by a word, and has no checksum that makes up for it. */
  covered(before: number, after: number): void {
    this.#ownChecksum(before, after)
    this.outer?.covered(before, after)
  }

  #ownChecksum(before: number, after: number): void {
    const at = this.#upper()
    if (at !== NOWHERE && at !== this.#partial) this.#fix(at, this.#field(), before, after)
  }

  #isPartial(at: number): boolean {
    return this.#partial !== NOWHERE && at >= this.#partial
  }

  /** `at`: where the header begins whose checksum is at `field`. */
  #fix(at: number, field: number, before: number, after: number): void {
    const { packet } = this
    const checksum = packet.uint16(field)
    if (this.#partial === at) {
      packet.setUint16(field, fold(checksum + (~before & 0xffff) + after))
      // The checksum to come goes the other way.
      this.outer?.covered(after, before)
      return
    }
    const isUdp = at === this.udp
    if (isUdp && checksum === 0) return
    const value = updated(checksum, before, after)
    this.plain(field, isUdp && value === 0 ? UDP_ZERO : value)
  }

  /** Where the transport header or GRE's begins. */
  #upper(): number {
    const { tcp, udp, icmp, icmp6, gre } = this.transport()
    const at = Math.max(tcp, udp, icmp, icmp6, gre)
    return at >= 0 && this.#field() !== NO_FIELD ? at : NOWHERE
  }

  #field(): number {
    const { packet, tcp, udp, icmp, icmp6, gre } = this
    if (tcp >= 0) return tcp + 16
    if (udp >= 0) return udp + 6
    if (icmp >= 0) return icmp + 2
    if (icmp6 >= 0) return icmp6 + 2
    return gre >= 0 && packet.uint8(gre) & 0x80 ? gre + 4 : NO_FIELD
  }

  /** Computes the checksums of this frame anew, not those around. */
  fill(): void {
    const { packet, ip4, fragmented } = this.transport()
    if (ip4 >= 0) {
      packet.setUint16(ip4 + 10, 0)
      packet.setUint16(ip4 + 10, ~sumOf(packet, ip4, ip4 + ((packet.uint8(ip4) & 0xf) << 2)) & 0xffff)
    }
    const at = this.#upper()
    if (at === NOWHERE || fragmented) return
    const field = this.#field()
    const pseudo = this.#pseudo(at)
    if (pseudo === NOWHERE) return
    if (this.#partial === at) {
      packet.setUint16(field, pseudo)
      return
    }
    if (this.udp >= 0 && packet.uint16(field) === 0) return
    // Around what is still to be done there is no telling by a sum of the bytes as they are.
    if (this.#partial > at && this.#partial < this.end) return
    packet.setUint16(field, 0)
    const value = ~fold(sumOf(packet, at, this.end) + pseudo) & 0xffff
    packet.setUint16(field, this.udp >= 0 && value === 0 ? UDP_ZERO : value)
  }

  /** The sum of the pseudo-header, 0 where there is none; NOWHERE where the last destination is not known. */
  #pseudo(at: number): number {
    if (this.icmp >= 0 || this.gre >= 0) return 0
    if (this.isRouted) return NOWHERE
    const protocol = this.tcp >= 0 ? IpProtocol.TCP : this.udp >= 0 ? IpProtocol.UDP : IpProtocol.ICMPV6
    return pseudoSum(this, protocol, this.end - at)
  }
}
