// Views of VXLAN (RFC 7348) and GRE (RFC 2784, 2890). The packet inside is read by the reader's `inner`.
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
  /** One byte. Bit 3: the identifier is valid. */
  get flags(): number {
    return this.layout.packet.uint8(this.layout.vxlan)
  }
  /** VNI, 24 bits. */
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
  /** The bit C. */
  get checksumPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x80) !== 0
  }
  /** The bit K. */
  get keyPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x20) !== 0
  }
  /** The bit S. */
  get sequenceNumberPresent(): boolean {
    return (this.layout.packet.uint8(this.layout.gre) & 0x10) !== 0
  }
  /** `undefined` if the header has none. */
  get checksum(): number | undefined {
    return this.checksumPresent ? this.layout.packet.uint16(this.layout.gre + 4) : undefined
  }
  /** `undefined` if the header has none. */
  get key(): number | undefined {
    const { packet, gre } = this.layout
    return this.keyPresent ? packet.uint32(gre + (this.checksumPresent ? 8 : 4)) : undefined
  }
  /** `undefined` if the header has none. */
  get sequenceNumber(): number | undefined {
    return this.sequenceNumberPresent ? this.layout.packet.uint32(this.payloadOffset - 4) : undefined
  }

  /** Computed over header and payload: the whole packet is read. */
  get checksumStatus(): ChecksumStatus {
    return this.checksumPresent ? statusOf(this.layout, this.layout.gre, NOWHERE) : 'none'
  }
}
