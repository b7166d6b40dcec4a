// The view of IPv4 (RFC 791; RFC 2474 and 3168 for what was Type of Service).
import { type ChecksumStatus, findOption, sumOf } from './checksum.js'
import { HeaderView } from './view.js'

/** An IPv4 header with its options. Addresses are numbers of 32 bits: `ipv4Address('192.0.2.1')`. */
export class Ipv4Header extends HeaderView {
  get offset(): number {
    return this.layout.ip4
  }
  get length(): number {
    return (this.layout.packet.uint8(this.layout.ip4) & 0xf) << 2
  }
  /** Bytes of the payload, without the frame's padding. */
  get payloadLength(): number {
    return this.totalLength - this.length
  }
  /** The length of the header in words of 32 bits, 5 to 15. */
  get internetHeaderLength(): number {
    return this.layout.packet.uint8(this.layout.ip4) & 0xf
  }
  /** DSCP, 0 to 63. */
  get differentiatedServices(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 1) >>> 2
  }
  /** ECN, 0 to 3. */
  get congestionNotification(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 1) & 3
  }
  /** Bytes of header and payload. */
  get totalLength(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 2)
  }
  /** Identifies the datagram that the fragments belong to. */
  get identification(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 4)
  }
  /** The flag DF. */
  get dontFragment(): boolean {
    return (this.layout.packet.uint8(this.layout.ip4 + 6) & 0x40) !== 0
  }
  /** The flag MF: this is not the last fragment. */
  get moreFragments(): boolean {
    return (this.layout.packet.uint8(this.layout.ip4 + 6) & 0x20) !== 0
  }
  /** In units of 8 bytes, as on the wire. */
  get fragmentOffset(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 6) & 0x1fff
  }
  /** Is this a fragment, the first or a later one? Only the first has a transport header. */
  get isFragment(): boolean {
    return (this.layout.packet.uint16(this.layout.ip4 + 6) & 0x3fff) !== 0
  }
  /** Hops that are left. */
  get timeToLive(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 8)
  }
  /** The protocol of the payload, as `IpProtocol`. */
  get protocol(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 9)
  }
  /** The field as it is; `checksumStatus` says whether it is right. */
  get headerChecksum(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 10)
  }
  /** Four bytes as a number; `formatIpv4` writes it out. */
  get sourceAddress(): number {
    return this.layout.packet.uint32(this.layout.ip4 + 12)
  }
  /** Four bytes as a number; `formatIpv4` writes it out. */
  get destinationAddress(): number {
    return this.layout.packet.uint32(this.layout.ip4 + 16)
  }

  /** Is this the source? Never allocates, which the getter can do above 2^31 if V8 does not inline it. */
  sourceEquals(address: number): boolean {
    const { packet, ip4 } = this.layout
    return packet.uint16(ip4 + 14) === (address & 0xffff) && packet.uint16(ip4 + 12) === address >>> 16
  }
  /** Is this the destination? Never allocates. */
  destinationEquals(address: number): boolean {
    const { packet, ip4 } = this.layout
    return packet.uint16(ip4 + 18) === (address & 0xffff) && packet.uint16(ip4 + 16) === address >>> 16
  }

  /** The offset of the option of this type (of its type byte), or `undefined` if it is absent or its length is wrong. */
  optionOffset(type: number): number | undefined {
    const { packet, ip4 } = this.layout
    const at = findOption(packet, ip4 + 20, ip4 + this.length, type)
    return at < 0 ? undefined : at
  }

  /** `good` or `bad`. */
  get headerChecksumStatus(): ChecksumStatus {
    const { packet, ip4 } = this.layout
    return sumOf(packet, ip4, ip4 + this.length) === 0xffff ? 'good' : 'bad'
  }
}
