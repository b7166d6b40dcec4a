// The writer's views of TCP, UDP, ICMP and ICMPv6. A number that is too large for its field is truncated to the width
// of the field. A write also updates all checksums that cover the field, including those of outer tunnels.
import { IcmpHeader, Icmpv6Header, TcpHeader, UdpHeader } from './transport.js'
import type { WritableLayout } from './writable-layout.js'

/** A TCP header, to read and to write. */
export class WritableTcpHeader extends TcpHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get sourcePort(): number {
    return super.sourcePort
  }
  override set sourcePort(value: number) {
    this.layout.upperWord(this.layout.tcp, value)
  }
  override get destinationPort(): number {
    return super.destinationPort
  }
  override set destinationPort(value: number) {
    this.layout.upperWord(this.layout.tcp + 2, value)
  }
  override get sequenceNumber(): number {
    return super.sequenceNumber
  }
  override set sequenceNumber(value: number) {
    this.layout.upperLong(this.layout.tcp + 4, value)
  }
  override get acknowledgmentNumber(): number {
    return super.acknowledgmentNumber
  }
  override set acknowledgmentNumber(value: number) {
    this.layout.upperLong(this.layout.tcp + 8, value)
  }
  override get flags(): number {
    return super.flags
  }
  override set flags(value: number) {
    this.layout.upperWord(this.layout.tcp + 12, value, 0x00ff)
  }
  override get window(): number {
    return super.window
  }
  override set window(value: number) {
    this.layout.upperWord(this.layout.tcp + 14, value)
  }
  override get urgentPointer(): number {
    return super.urgentPointer
  }
  override set urgentPointer(value: number) {
    this.layout.upperWord(this.layout.tcp + 18, value)
  }
  override get maximumSegmentSize(): number | undefined {
    return super.maximumSegmentSize
  }
  /** Throws a `TypeError` if the option is absent, because the header has no room for the option. */
  override set maximumSegmentSize(value: number) {
    const { layout, segmentSizeAt: at } = this
    if (at < 0) throw new TypeError('the TCP header has no MSS option')
    if (((at - layout.tcp) & 1) === 0) layout.upperWord(at, value)
    else {
      // At an odd offset the value is part of two words of the checksum's sum.
      layout.upperWord(at - 1, value >>> 8, 0x00ff)
      layout.upperWord(at + 1, value << 8, 0xff00)
    }
  }
}

/** A UDP header, to read and to write. A checksum of zero means no checksum and stays zero. */
export class WritableUdpHeader extends UdpHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get sourcePort(): number {
    return super.sourcePort
  }
  override set sourcePort(value: number) {
    this.layout.upperWord(this.layout.udp, value)
  }
  override get destinationPort(): number {
    return super.destinationPort
  }
  override set destinationPort(value: number) {
    this.layout.upperWord(this.layout.udp + 2, value)
  }
  override get datagramLength(): number {
    return super.datagramLength
  }
  /**
   * The checksum stays correct only if all added or removed bytes are zero. Otherwise call `of()` and `fillChecksums()`
   * after this write.
   */
  override set datagramLength(value: number) {
    const { layout } = this
    const before = super.datagramLength
    layout.upperWord(layout.udp + 4, value)
    // The pseudo-header also contains the length.
    layout.pseudoChanged(before, super.datagramLength)
  }
}

/** An ICMP header, to read and to write. */
export class WritableIcmpHeader extends IcmpHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get type(): number {
    return super.type
  }
  override set type(value: number) {
    this.layout.upperWord(this.layout.icmp, value << 8, 0xff00)
  }
  override get code(): number {
    return super.code
  }
  override set code(value: number) {
    this.layout.upperWord(this.layout.icmp, value, 0x00ff)
  }
  override get identifier(): number {
    return super.identifier
  }
  override set identifier(value: number) {
    this.layout.upperWord(this.layout.icmp + 4, value)
  }
  override get sequenceNumber(): number {
    return super.sequenceNumber
  }
  override set sequenceNumber(value: number) {
    this.layout.upperWord(this.layout.icmp + 6, value)
  }
}

/** An ICMPv6 header, to read and to write. */
export class WritableIcmpv6Header extends Icmpv6Header {
  /** @internal */
  declare readonly layout: WritableLayout

  override get type(): number {
    return super.type
  }
  override set type(value: number) {
    this.layout.upperWord(this.layout.icmp6, value << 8, 0xff00)
  }
  override get code(): number {
    return super.code
  }
  override set code(value: number) {
    this.layout.upperWord(this.layout.icmp6, value, 0x00ff)
  }
  override get identifier(): number {
    return super.identifier
  }
  override set identifier(value: number) {
    this.layout.upperWord(this.layout.icmp6 + 4, value)
  }
  override get sequenceNumber(): number {
    return super.sequenceNumber
  }
  override set sequenceNumber(value: number) {
    this.layout.upperWord(this.layout.icmp6 + 6, value)
  }
}
