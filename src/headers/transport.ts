// Views of TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443).
import { type ChecksumStatus, findOption, NOWHERE, statusOf } from './checksum.js'
import { isSegmented } from './layout.js'
import { IpProtocol } from './numbers.js'
import { HeaderView } from './view.js'

const MAXIMUM_SEGMENT_SIZE = 2

/** The control bits of TCP. You can combine them: `TcpFlag.SYN | TcpFlag.ACK`. */
export const TcpFlag = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  /** Defined in RFC 3168, like CWR. */
  ECE: 64,
  CWR: 128,
} as const

/** A TCP header with its options. */
export class TcpHeader extends HeaderView {
  get offset(): number {
    return this.layout.tcp
  }
  get length(): number {
    return (this.layout.packet.uint8(this.layout.tcp + 12) >>> 2) & 0x3c
  }
  /** Number of bytes of data in this packet. */
  get payloadLength(): number {
    return this.layout.end - this.layout.tcp - this.length
  }
  /** Port of the sender. */
  get sourcePort(): number {
    return this.layout.packet.uint16(this.layout.tcp)
  }
  /** Port of the receiver. */
  get destinationPort(): number {
    return this.layout.packet.uint16(this.layout.tcp + 2)
  }
  /** The sequence number of the payload's first byte, or of SYN. */
  get sequenceNumber(): number {
    return this.layout.packet.uint32(this.layout.tcp + 4)
  }
  /** The sequence number of the byte that the sender expects next. Only valid if the flag ACK is set. */
  get acknowledgmentNumber(): number {
    return this.layout.packet.uint32(this.layout.tcp + 8)
  }
  /** The length of the header in 32-bit words, 5 to 15. */
  get dataOffset(): number {
    return this.layout.packet.uint8(this.layout.tcp + 12) >>> 4
  }
  /** The control bits (see `TcpFlag`). */
  get flags(): number {
    return this.layout.packet.uint8(this.layout.tcp + 13)
  }
  /** The window as on the wire, not scaled (RFC 7323). */
  get window(): number {
    return this.layout.packet.uint16(this.layout.tcp + 14)
  }
  /** The checksum field. `checksumStatus` says whether the checksum is correct. */
  get checksum(): number {
    return this.layout.packet.uint16(this.layout.tcp + 16)
  }
  /** The urgent pointer. Only valid if the flag URG is set. */
  get urgentPointer(): number {
    return this.layout.packet.uint16(this.layout.tcp + 18)
  }
  /** The value of the MSS option, or `undefined` if the option is absent or its length is wrong. */
  get maximumSegmentSize(): number | undefined {
    const at = this.segmentSizeAt
    return at < 0 ? undefined : this.layout.packet.uint16(at)
  }

  /** Returns the offset of this option's kind byte, or `undefined` if the option is absent or its length is wrong. */
  optionOffset(kind: number): number | undefined {
    const { packet, tcp } = this.layout
    const at = findOption(packet, tcp + 20, tcp + this.length, kind)
    return at < 0 ? undefined : at
  }

  /** The status of the checksum. Computing it reads the whole segment. */
  get checksumStatus(): ChecksumStatus {
    return statusOf(this.layout, this.layout.tcp, IpProtocol.TCP)
  }

  /** @internal */
  protected get segmentSizeAt(): number {
    const { packet, tcp } = this.layout
    const at = findOption(packet, tcp + 20, tcp + this.length, MAXIMUM_SEGMENT_SIZE)
    return at >= 0 && packet.uint8(at + 1) === 4 ? at + 2 : NOWHERE
  }
}

/** A UDP header, 8 bytes. */
export class UdpHeader extends HeaderView {
  get offset(): number {
    return this.layout.udp
  }
  /** The length of the header, always 8. The field Length is `datagramLength`. */
  get length(): number {
    return 8
  }
  /** Number of bytes of data. */
  get payloadLength(): number {
    const { layout, offset, length } = this
    return (isSegmented(layout.packet) ? layout.end - offset : this.datagramLength) - length
  }
  /** Port of the sender. */
  get sourcePort(): number {
    return this.layout.packet.uint16(this.layout.udp)
  }
  /** Port of the receiver. */
  get destinationPort(): number {
    return this.layout.packet.uint16(this.layout.udp + 2)
  }
  /** The field Length: bytes of header and data. In a first fragment it includes the data of all other fragments. */
  get datagramLength(): number {
    return this.layout.packet.uint16(this.layout.udp + 4)
  }
  /** The checksum field. Zero means that the sender did not compute a checksum. */
  get checksum(): number {
    return this.layout.packet.uint16(this.layout.udp + 6)
  }

  /** The status of the checksum. Computing it reads the whole datagram. */
  get checksumStatus(): ChecksumStatus {
    const { layout } = this
    return this.checksum === 0 ? 'none' : statusOf(layout, layout.udp, IpProtocol.UDP)
  }
}

/** An ICMP header, 8 bytes. */
export class IcmpHeader extends HeaderView {
  get offset(): number {
    return this.layout.icmp
  }
  get length(): number {
    return 8
  }
  /** The type of the message: 8 is an echo request, 0 an echo reply. */
  get type(): number {
    return this.layout.packet.uint8(this.layout.icmp)
  }
  /** The code of the message, whose meaning depends on the type. */
  get code(): number {
    return this.layout.packet.uint8(this.layout.icmp + 1)
  }
  /** The checksum field. `checksumStatus` says whether the checksum is correct. */
  get checksum(): number {
    return this.layout.packet.uint16(this.layout.icmp + 2)
  }
  /** The identifier of an echo message. Other types have other fields at this position. */
  get identifier(): number {
    return this.layout.packet.uint16(this.layout.icmp + 4)
  }
  /**
   * The sequence number of an echo message. Other types have other fields at this position, such as an MTU (RFC 1191).
   */
  get sequenceNumber(): number {
    return this.layout.packet.uint16(this.layout.icmp + 6)
  }

  /** The status of the checksum. Computing it reads the whole message. */
  get checksumStatus(): ChecksumStatus {
    return statusOf(this.layout, this.layout.icmp, NOWHERE)
  }
}

/** An ICMPv6 header with the word that follows it, 8 bytes. */
export class Icmpv6Header extends HeaderView {
  get offset(): number {
    return this.layout.icmp6
  }
  get length(): number {
    return 8
  }
  /** The type of the message: 128 is an echo request, 129 an echo reply. */
  get type(): number {
    return this.layout.packet.uint8(this.layout.icmp6)
  }
  /** The code of the message, whose meaning depends on the type. */
  get code(): number {
    return this.layout.packet.uint8(this.layout.icmp6 + 1)
  }
  /** The checksum field. `checksumStatus` says whether the checksum is correct. */
  get checksum(): number {
    return this.layout.packet.uint16(this.layout.icmp6 + 2)
  }
  /** The identifier of an echo message. Other types have other fields at this position. */
  get identifier(): number {
    return this.layout.packet.uint16(this.layout.icmp6 + 4)
  }
  /** The sequence number of an echo message. Other types have other fields at this position. */
  get sequenceNumber(): number {
    return this.layout.packet.uint16(this.layout.icmp6 + 6)
  }

  /** The status of the checksum. Computing it reads the whole message. */
  get checksumStatus(): ChecksumStatus {
    return statusOf(this.layout, this.layout.icmp6, IpProtocol.ICMPV6)
  }
}
