// Writes words of headers for the writable views, and updates all checksums that cover them, incrementally (RFC 1624). Which
// checksums cover a word:
//
//   a word of the IPv4 header          the header's own
//   an address                         also TCP's, UDP's or ICMPv6's, by the pseudo-header
//   a word of the transport header     its own
//   a word inside a tunnel             that of the tunnel (UDP around VXLAN, GRE), unless an inner checksum changes too and keeps the sum
//
// A transport checksum that the guest left to be computed (virtio 1.2 §5.1.6.2) has the sum of the pseudo-header in its
// field, not inverted: only a change of the pseudo-header changes it. Once computed, the checksum and the
// bytes that it covers always have the same sum, so the checksums of outer tunnels need no update either.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import type { WritablePacket } from '../packet/writable.js'
import { changeOf, put, putLong } from './changes.js'
import { fold, isRouted, NOWHERE, partialAt, pseudoSum, sumOf } from './checksum.js'
import { Layout } from './layout.js'
import { IpProtocol } from './numbers.js'

/** The header has no checksum field. */
const NO_FIELD = -1
/** In UDP zero means no checksum: a computed checksum of zero is sent as this (RFC 768). */
const UDP_ZERO = 0xffff

export class WritableLayout extends Layout {
  declare packet: WritablePacket
  readonly outer: WritableLayout | null
  /** Offset of the first byte that a checksum covers which is still to be computed, or NOWHERE. */
  #partial = NOWHERE

  constructor(vxlanPort: number | undefined, outer: WritableLayout | null) {
    super(vxlanPort)
    this.outer = outer
  }

  override aim(packet: PacketView, type: number, at: number, end: number): void {
    super.aim(packet, type, at, end)
    this.#partial = partialAt(packet)
  }

  /** Writes a word of Ethernet, a VLAN tag, ARP or IPv6, but not of an address: only checksums of outer tunnels cover it. */
  plain(at: number, value: number, mask = 0xffff): void {
    this.#around(at, put(this.packet, at, value, mask))
  }

  /** Writes two such words. */
  plainLong(at: number, value: number): void {
    this.#around(at, putLong(this.packet, at, value))
  }

  /** Writes a word of the IPv4 header. */
  ip4Word(at: number, value: number, mask = 0xffff): void {
    this.#ip4Changed(put(this.packet, at, value, mask))
  }

  /** Writes two words of the IPv4 header that are not in the pseudo-header. */
  ip4Long(at: number, value: number): void {
    this.#ip4Changed(putLong(this.packet, at, value))
  }

  /** Writes two words of an address, which is also in the pseudo-header. */
  pseudoLong(at: number, value: number): void {
    const change = putLong(this.packet, at, value)
    if (change === 0) return
    if (this.ip4 >= 0) this.#ip4Changed(change)
    else this.#around(at, change)
    this.#pseudoChanged(change)
  }

  /** A word of the pseudo-header has changed: a length. */
  pseudoChanged(before: number, after: number): void {
    if (before !== after) this.#pseudoChanged(changeOf(before, after))
  }

  /** Whether the destination field is an intermediate hop. The pseudo-header has the final destination instead. */
  get isRouted(): boolean {
    return isRouted(this)
  }

  /** Writes a word of a transport header, or of GRE. */
  upperWord(at: number, value: number, mask = 0xffff): void {
    this.#upperChanged(at, put(this.packet, at, value, mask))
  }

  /** Writes two such words. */
  upperLong(at: number, value: number): void {
    this.#upperChanged(at, putLong(this.packet, at, value))
  }

  /** The bytes at `at` have changed: updates the checksums of outer tunnels, unless a checksum that is computed later keeps their sum. */
  #around(at: number, change: number): void {
    if (change !== 0 && !this.#isPartial(at)) this.outer?.covered(change)
  }

  // The header's own checksum has changed so that the sum is the same: checksums of outer tunnels stay.
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
      // The checksum that is computed later will change by the opposite of this change.
      this.outer?.covered(~change & 0xffff)
    } else this.#around(field, this.#follow(field, change))
  }

  #upperChanged(at: number, change: number): void {
    if (change === 0) return
    const field = this.#field()
    if (field === NO_FIELD) this.#around(at, change)
    else if (this.#partial !== this.#upper() && this.#follow(field, change) === 0) this.#around(at, change)
  }

  /** Bytes inside this tunnel have changed, and no inner checksum keeps their sum. */
  covered(change: number): void {
    const field = this.#field()
    if (field === NO_FIELD || this.#partial === this.#upper() || this.#follow(field, change) === 0)
      this.outer?.covered(change)
  }

  #isPartial(at: number): boolean {
    return this.#partial !== NOWHERE && at >= this.#partial
  }

  /** Updates the checksum at `field` for a change of bytes that it covers. Returns the change of the field; 0 if UDP has no checksum. */
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

  /** The offset of the transport header, or of GRE. */
  #upper(): number {
    const { tcp, udp, icmp, icmp6, gre } = this
    return tcp >= 0 ? tcp : udp >= 0 ? udp : icmp >= 0 ? icmp : icmp6 >= 0 ? icmp6 : gre
  }

  /** The offset of the checksum field of the transport header or of GRE, or NO_FIELD. */
  #field(): number {
    const { packet, tcp, udp, icmp, icmp6, gre } = this.transport()
    if (tcp >= 0) return tcp + 16
    if (udp >= 0) return udp + 6
    if (icmp >= 0) return icmp + 2
    if (icmp6 >= 0) return icmp6 + 2
    return gre >= 0 && packet.uint8(gre) & 0x80 ? gre + 4 : NO_FIELD
  }

  /** Computes the checksums of this frame from its bytes, not those of outer tunnels. */
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
    // An inner checksum is still to be computed: the bytes are not final.
    if (this.#partial > at && this.#partial < this.end) return
    packet.setUint16(field, 0)
    const value = ~fold(sumOf(packet, at, this.end) + pseudo) & 0xffff
    packet.setUint16(field, this.udp >= 0 && value === 0 ? UDP_ZERO : value)
  }

  /** The sum of the pseudo-header; 0 if there is none, NOWHERE if the final destination is not known. */
  #pseudo(at: number): number {
    if (this.icmp >= 0 || this.gre >= 0) return 0
    if (this.isRouted) return NOWHERE
    const protocol = this.tcp >= 0 ? IpProtocol.TCP : this.udp >= 0 ? IpProtocol.UDP : IpProtocol.ICMPV6
    return pseudoSum(this, protocol, this.end - at)
  }
}
