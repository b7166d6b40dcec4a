// Views of VXLAN (RFC 7348) and GRE (RFC 2784, 2890). The reader's property `inner` reads the packet inside.
import { type ChecksumStatus, NOWHERE, statusOf } from './checksum.js'
import { greLength } from './layout.js'
import { HeaderView } from './view.js'

/** A VXLAN header, 8 bytes, with a valid identifier. */
export class VxlanHeader extends HeaderView {
  get offset(): number {
    return this.layout.vxlan
  }
  get length(): number {
    return 8
  }
  /** The flags, one byte. The flag 0x08 means that the identifier is valid. */
  get flags(): number {
    return this.layout.packet.uint8(this.layout.vxlan)
  }
  /** The VXLAN network identifier (VNI), 24 bits. */
  get networkIdentifier(): number {
    return this.layout.packet.uint32(this.layout.vxlan + 4) >>> 8
  }
}

/** A GRE header of version 0, 4 to 16 bytes. */
export class GreHeader extends HeaderView {
  get offset(): number {
    return this.layout.gre
  }
  get length(): number {
    return greLength(this.layout.packet.uint16(this.layout.gre))
  }
  /** The EtherType of the payload. */
  get protocolType(): number {
    return this.layout.packet.uint16(this.layout.gre + 2)
  }
  /** Whether the header has a checksum (bit C). */
  get checksumPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x80) !== 0
  }
  /** Whether the header has a key (bit K). */
  get keyPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x20) !== 0
  }
  /** Whether the header has a sequence number (bit S). */
  get sequenceNumberPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x10) !== 0
  }
  /** The checksum field, or `undefined` if the header has no checksum. */
  get checksum(): number | undefined {
    return this.checksumPresent ? this.layout.packet.uint16(this.layout.gre + 4) : undefined
  }
  /** The key, or `undefined` if the header has no key. */
  get key(): number | undefined {
    const { packet, gre } = this.layout
    return this.keyPresent ? packet.uint32(gre + (this.checksumPresent ? 8 : 4)) : undefined
  }
  /** The sequence number, or `undefined` if the header has no sequence number. */
  get sequenceNumber(): number | undefined {
    return this.sequenceNumberPresent ? this.layout.packet.uint32(this.payloadOffset - 4) : undefined
  }

  /** The status of the checksum. Computing it reads header and payload. */
  get checksumStatus(): ChecksumStatus {
    return this.checksumPresent ? statusOf(this.layout, this.layout.gre, NOWHERE) : 'none'
  }
}
