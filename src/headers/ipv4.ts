// The view of IPv4 (RFC 791). RFC 2474 and RFC 3168 define the field that RFC 791 calls Type of Service.
import { type ChecksumStatus, findOption, sumOf } from './checksum.js'
import { isSegmented } from './layout.js'
import { HeaderView } from './view.js'

/** An IPv4 header with its options. Addresses are 32-bit numbers: `ipv4Address('192.0.2.1')`. */
export class Ipv4Header extends HeaderView {
  get offset(): number {
    return this.layout.ip4
  }
  get length(): number {
    return (this.layout.packet.uint8(this.layout.ip4) & 0xf) << 2
  }
  /** Length of the payload in bytes, without the frame's padding. */
  get payloadLength(): number {
    const { layout, offset, length } = this
    return (isSegmented(layout.packet) ? layout.end - offset : this.totalLength) - length
  }
  /** The length of the header in 32-bit words, 5 to 15. */
  get internetHeaderLength(): number {
    return this.layout.packet.uint8(this.layout.ip4) & 0xf
  }
  /** The differentiated services code point (DSCP), 0 to 63. */
  get differentiatedServices(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 1) >>> 2
  }
  /** The explicit congestion notification (ECN), 0 to 3. */
  get congestionNotification(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 1) & 3
  }
  /**
   * The field Total Length: bytes of header and payload. With segmentation offload it may be 0, or the length of the
   * first segment; `payloadLength` is that of the frame.
   */
  get totalLength(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 2)
  }
  /** A number that is equal in all fragments of a datagram. */
  get identification(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 4)
  }
  /** The flag DF: routers must not fragment this packet. */
  get dontFragment(): boolean {
    return (this.layout.packet.uint8(this.layout.ip4 + 6) & 0x40) !== 0
  }
  /** The flag MF: this is not the last fragment. */
  get moreFragments(): boolean {
    return (this.layout.packet.uint8(this.layout.ip4 + 6) & 0x20) !== 0
  }
  /** The position of this fragment in the datagram, in units of 8 bytes, as on the wire. */
  get fragmentOffset(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 6) & 0x1fff
  }
  /** Whether this packet is a fragment, the first or a later one. Only the first fragment has a transport header. */
  get isFragment(): boolean {
    return (this.layout.packet.uint16(this.layout.ip4 + 6) & 0x3fff) !== 0
  }
  /** Number of remaining hops. */
  get timeToLive(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 8)
  }
  /** The protocol of the payload (see `IpProtocol`). */
  get protocol(): number {
    return this.layout.packet.uint8(this.layout.ip4 + 9)
  }
  /** The checksum field. `headerChecksumStatus` says whether the checksum is correct. */
  get headerChecksum(): number {
    return this.layout.packet.uint16(this.layout.ip4 + 10)
  }
  /** The source address as a 32-bit number. `formatIpv4` converts it to text. */
  get sourceAddress(): number {
    return this.layout.packet.uint32(this.layout.ip4 + 12)
  }
  /** The destination address as a 32-bit number. `formatIpv4` converts it to text. */
  get destinationAddress(): number {
    return this.layout.packet.uint32(this.layout.ip4 + 16)
  }

  /**
   * Whether `address` is the source address. Never allocates. The getter `sourceAddress` may allocate a number above
   * 2^31 if V8 does not inline the getter.
   */
  sourceEquals(address: number): boolean {
    const { packet, ip4 } = this.layout
    return packet.uint16(ip4 + 14) === (address & 0xffff) && packet.uint16(ip4 + 12) === address >>> 16
  }
  /** Whether `address` is the destination address. Never allocates. */
  destinationEquals(address: number): boolean {
    const { packet, ip4 } = this.layout
    return packet.uint16(ip4 + 18) === (address & 0xffff) && packet.uint16(ip4 + 16) === address >>> 16
  }

  /** Returns the offset of this option's type byte, or `undefined` if the option is absent or its length is wrong. */
  optionOffset(type: number): number | undefined {
    const { packet, ip4 } = this.layout
    const at = findOption(packet, ip4 + 20, ip4 + this.length, type)
    return at < 0 ? undefined : at
  }

  /** The status of the header's checksum: `good` or `bad`. */
  get headerChecksumStatus(): ChecksumStatus {
    const { packet, ip4 } = this.layout
    return sumOf(packet, ip4, ip4 + this.length) === 0xffff ? 'good' : 'bad'
  }
}
