// Writes words of headers for the writable views. Updates all checksums that cover these words incrementally (RFC
// 1624). A word is covered by these checksums:
//
//   a word of the IPv4 header          the header's checksum
//   an address of IPv4 or IPv6         also the checksum of TCP, UDP or ICMPv6, through the pseudo-header
//   a word of the transport header     the checksum of the transport header
//   a word inside a tunnel             also the checksum of the tunnel: of the UDP around VXLAN, or of GRE
//
// When an inner checksum is updated, the sum of all inner words stays the same. So the checksum of the tunnel stays the
// same.
//
// A guest may leave a transport checksum for the device to compute (virtio 1.2 §5.1.6.2). The checksum's field then
// contains the sum of the pseudo-header, not inverted, so only a change of the pseudo-header changes the field. After
// the device has computed the checksum, the covered bytes and the checksum always have the same sum. So a change of the
// covered bytes does not change the checksums of outer tunnels.
import { type PacketView, placeOf, slotsOf } from '../packet/view.js'
import type { WritablePacket } from '../packet/writable.js'
import { changeOf, put, putLong } from './changes.js'
import { fold, isRouted, NOWHERE, partialAt, pseudoSum, sumOf } from './checksum.js'
import { Layout } from './layout.js'
import { IpProtocol } from './numbers.js'

/** Means that the header has no checksum field. */
const NO_FIELD = -1
/**
 * The other zero of ones' complement. UDP has it instead of a checksum of 0, because 0 means that there is no checksum
 * (RFC 768). ICMP has it if all other bytes are zero. The difference alone does not tell which zero is right (RFC 1624).
 */
const OTHER_ZERO = 0xffff

export class WritableLayout extends Layout {
  declare packet: WritablePacket
  readonly outer: WritableLayout | null
  /** Offset of the first byte covered by the checksum that is still to be computed, or NOWHERE. */
  #partial = NOWHERE

  constructor(vxlanPort: number | undefined, outer: WritableLayout | null) {
    super(vxlanPort)
    this.outer = outer
  }

  override aim(packet: PacketView, type: number, at: number, end: number): void {
    super.aim(packet, type, at, end)
    this.#partial = partialAt(packet)
  }

  /** Writes a word of Ethernet, a VLAN tag, ARP or IPv6. Updates only the checksums of outer tunnels. */
  plain(at: number, value: number, mask = 0xffff): void {
    this.#around(at, put(this.packet, at, value, mask))
  }

  /** Like `plain()`, for two words. */
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

  /** Writes two words of an address that is also in the pseudo-header. */
  pseudoLong(at: number, value: number): void {
    const change = putLong(this.packet, at, value)
    if (change === 0) return
    if (this.ip4 >= 0) this.#ip4Changed(change)
    else this.#around(at, change)
    this.#pseudoChanged(change)
  }

  /** Updates the transport checksum after a length in the pseudo-header has changed. */
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

  /** Like `upperWord()`, for two words. */
  upperLong(at: number, value: number): void {
    this.#upperChanged(at, putLong(this.packet, at, value))
  }

  /**
   * Updates the checksums of outer tunnels after the bytes at `at` have changed. Does nothing if a checksum that is
   * still to be computed covers these bytes, because that checksum keeps their sum.
   */
  #around(at: number, change: number): void {
    if (change !== 0 && !this.#isPartial(at)) this.outer?.covered(change)
  }

  // Updates the checksum of the IPv4 header. This keeps the sum of the header, so outer tunnels need no update.
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
      // The checksum that is still to be computed changes by the opposite amount.
      this.outer?.covered(~change & 0xffff)
    } else this.#around(field, this.#follow(field, change))
  }

  #upperChanged(at: number, change: number): void {
    if (change === 0) return
    const field = this.#field()
    if (field === NO_FIELD) this.#around(at, change)
    else if (this.#partial !== this.#upper() && this.#follow(field, change) === 0) this.#around(at, change)
  }

  /** Updates the checksums after bytes inside this tunnel have changed, if no inner checksum keeps their sum. */
  covered(change: number): void {
    const field = this.#field()
    if (field === NO_FIELD || this.#partial === this.#upper() || this.#follow(field, change) === 0)
      this.outer?.covered(change)
  }

  #isPartial(at: number): boolean {
    return this.#partial !== NOWHERE && at >= this.#partial
  }

  /**
   * Updates the checksum at `field` after a change of the bytes that it covers. Returns the change of the field, or 0
   * if UDP has no checksum.
   */
  #follow(field: number, change: number): number {
    const { packet } = this
    const place = placeOf(packet, field, 2)
    const { view } = slotsOf(packet)
    const before = view.getUint16(place)
    const isUdp = field === this.udp + 6
    if (isUdp && before === 0) return 0
    const value = ~fold((~before & 0xffff) + change) & 0xffff
    view.setUint16(place, value)
    const after = value === 0 && (isUdp || this.#coversZeros(field)) ? OTHER_ZERO : value
    view.setUint16(place, after)
    return changeOf(before, after)
  }

  /**
   * Whether all bytes that the checksum at `field`, which is 0, covers are zero. A pseudo-header or a header of GRE or
   * IPv4 never is, so only ICMP can be.
   */
  #coversZeros(field: number): boolean {
    return field === this.icmp + 2 && sumOf(this.packet, this.icmp, this.end) === 0
  }

  /** Returns the offset of the transport header or of GRE. */
  #upper(): number {
    const { tcp, udp, icmp, icmp6, gre } = this
    return tcp >= 0 ? tcp : udp >= 0 ? udp : icmp >= 0 ? icmp : icmp6 >= 0 ? icmp6 : gre
  }

  /** Returns the offset of the checksum field of the transport header or of GRE, or NO_FIELD. */
  #field(): number {
    const { packet, tcp, udp, icmp, icmp6, gre } = this.transport()
    if (tcp >= 0) return tcp + 16
    if (udp >= 0) return udp + 6
    if (icmp >= 0) return icmp + 2
    if (icmp6 >= 0) return icmp6 + 2
    return gre >= 0 && packet.uint8(gre) & 0x80 ? gre + 4 : NO_FIELD
  }

  /** Computes the checksums of this frame from its bytes, but not the checksums of outer tunnels. */
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
    // An inner checksum is still to be computed, so the covered bytes are not final.
    if (this.#partial > at && this.#partial < this.end) return
    packet.setUint16(field, 0)
    const value = ~fold(sumOf(packet, at, this.end) + pseudo) & 0xffff
    packet.setUint16(field, this.udp >= 0 && value === 0 ? OTHER_ZERO : value)
  }

  /**
   * Returns the sum of the pseudo-header, 0 if there is no pseudo-header, or NOWHERE if the final destination is not
   * known.
   */
  #pseudo(at: number): number {
    if (this.icmp >= 0 || this.gre >= 0) return 0
    if (this.isRouted) return NOWHERE
    const protocol = this.tcp >= 0 ? IpProtocol.TCP : this.udp >= 0 ? IpProtocol.UDP : IpProtocol.ICMPV6
    return pseudoSum(this, protocol, this.end - at)
  }
}
