// Writes into headers, and with each of them into all checksums that cover it, by the difference alone (RFC 1624).
// Below the writable views. It knows which checksum covers what:
//
//   a word of the IPv4 header          the header's own
//   an address                         also TCP's, UDP's or ICMPv6's, by the pseudo-header
//   a word of the transport header     its own
//   inside a tunnel                    UDP's around VXLAN, GRE's, of what changes and has no checksum that makes up for it
//
// A transport checksum that the guest left to be done (virtio 1.2 §5.1.6.2) has the sum of the pseudo-header in its
// field, not inverted: it follows the addresses, and nothing else. What is computed later makes the bytes that it covers
// add up to the same whatever is written there, so tunnels around need no change either.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import type { WritablePacket } from '../packet/writable.js'
import { changeOf, put, putLong } from './changes.js'
import { fold, isRouted, NOWHERE, partialAt, pseudoSum, sumOf } from './checksum.js'
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
  plain(at: number, value: number, mask = 0xffff): void {
    this.#around(at, put(this.packet, at, value, mask))
  }

  /** Two such words. */
  plainLong(at: number, value: number): void {
    this.#around(at, putLong(this.packet, at, value))
  }

  /** A word of the IPv4 header. */
  ip4Word(at: number, value: number, mask = 0xffff): void {
    this.#ip4Changed(put(this.packet, at, value, mask))
  }

  /** Two words of the IPv4 header that the pseudo-header does not have. */
  ip4Long(at: number, value: number): void {
    this.#ip4Changed(putLong(this.packet, at, value))
  }

  /** Two words of the pseudo-header as well: of an address. */
  pseudoLong(at: number, value: number): void {
    const change = putLong(this.packet, at, value)
    if (change === 0) return
    if (this.ip4 >= 0) this.#ip4Changed(change)
    else this.#around(at, change)
    this.#pseudoChanged(change)
  }

  /** What the pseudo-header has changed by a word: a length. */
  pseudoChanged(before: number, after: number): void {
    if (before !== after) this.#pseudoChanged(changeOf(before, after))
  }

  /** A word of the address that the last hop has in its place: then the pseudo-header's does not change. */
  get isRouted(): boolean {
    return isRouted(this)
  }

  /** A word of a transport header, or of GRE's. */
  upperWord(at: number, value: number, mask = 0xffff): void {
    this.#upperChanged(at, put(this.packet, at, value, mask))
  }

  /** Two words of one. */
  upperLong(at: number, value: number): void {
    this.#upperChanged(at, putLong(this.packet, at, value))
  }

  /** The bytes at `at` have changed: checksums around follow, unless what is still to be done makes up for it. */
  #around(at: number, change: number): void {
    if (change !== 0 && !this.#isPartial(at)) this.outer?.covered(change)
  }

  // A checksum makes up for what it covers: header and checksum together change nothing around.
  #ip4Changed(change: number): void {
    if (change !== 0) this.#follow(this.ip4 + 10, change)
  }

  #pseudoChanged(change: number): void {
    const { tcp, udp, icmp6 } = this.transport()
    const at = tcp >= 0 ? tcp : udp >= 0 ? udp : icmp6
    if (at < 0) return
    const field = tcp >= 0 ? tcp + 16 : udp >= 0 ? udp + 6 : icmp6 + 2
    if (this.#partial === at) {
      put(this.packet, field, fold(this.packet.uint16(field) + change))
      // The checksum to come goes the other way.
      this.outer?.covered(~change & 0xffff)
    } else this.#around(field, this.#follow(field, change))
  }

  #upperChanged(at: number, change: number): void {
    if (change === 0) return
    const field = this.#field()
    if (field === NO_FIELD) this.#around(at, change)
    else if (this.#partial !== this.#upper() && this.#follow(field, change) === 0) this.#around(at, change)
  }

  /** Something inside the tunnel that this frame is has changed, and has no checksum that makes up for it. */
  covered(change: number): void {
    const field = this.#field()
    if (field === NO_FIELD || this.#partial === this.#upper() || this.#follow(field, change) === 0)
      this.outer?.covered(change)
  }

  #isPartial(at: number): boolean {
    return this.#partial !== NOWHERE && at >= this.#partial
  }

  /** The checksum at `field` follows a change of what it covers. Returns its own; 0 where there is none (UDP's zero). */
  #follow(field: number, change: number): number {
    const { packet } = this
    const place = placeOf(packet, field, 2)
    const { view } = slotsOf(packet)
    const before = view.getUint16(place)
    const isUdp = field === this.udp + 6
    if (isUdp && before === 0) return 0
    const value = ~fold((~before & 0xffff) + change) & 0xffff
    const after = isUdp && value === 0 ? UDP_ZERO : value
    view.setUint16(place, after)
    return changeOf(before, after)
  }

  /** Where the transport header or GRE's begins. */
  #upper(): number {
    const { tcp, udp, icmp, icmp6, gre } = this
    return tcp >= 0 ? tcp : udp >= 0 ? udp : icmp >= 0 ? icmp : icmp6 >= 0 ? icmp6 : gre
  }

  /** Where its checksum is. */
  #field(): number {
    const { packet, tcp, udp, icmp, icmp6, gre } = this.transport()
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
    const field = this.#field()
    if (field === NO_FIELD || fragmented) return
    const at = this.#upper()
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
