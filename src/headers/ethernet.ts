// Views of Ethernet (IEEE 802.3), VLAN tags (IEEE 802.1Q, two of them for 802.1ad) and ARP (RFC 826).
import type { PacketView } from '../packet/view.js'
import { HeaderView } from './view.js'

const TWO_32 = 0x100000000

/** Reads six bytes as a 48-bit number. A double can hold it exactly. */
const six = (packet: PacketView, at: number): number => packet.uint16(at) * TWO_32 + packet.uint32(at + 2)

function isSix(packet: PacketView, at: number, value: number): boolean {
  return (
    packet.uint16(at + 4) === (value & 0xffff) &&
    packet.uint16(at + 2) === ((value >>> 16) & 0xffff) &&
    packet.uint16(at) === Math.floor(value / TWO_32)
  )
}

/** An Ethernet header, 14 bytes. Addresses are 48-bit numbers: `macAddress('02:00:00:00:00:01')`. */
export class EthernetHeader extends HeaderView {
  get offset(): number {
    return this.layout.ethernet
  }
  get length(): number {
    return 14
  }
  /** The destination address as a 48-bit number. `formatMac` converts it to text. */
  get destinationAddress(): number {
    return six(this.layout.packet, this.layout.ethernet)
  }
  /** The source address as a 48-bit number. `formatMac` converts it to text. */
  get sourceAddress(): number {
    return six(this.layout.packet, this.layout.ethernet + 6)
  }
  /**
   * Whether `address` is the destination address. Never allocates. The getter `destinationAddress` allocates a 48-bit
   * number if V8 does not inline the getter.
   */
  destinationEquals(address: number): boolean {
    return isSix(this.layout.packet, this.layout.ethernet, address)
  }
  /** Whether `address` is the source address. Never allocates. */
  sourceEquals(address: number): boolean {
    return isSix(this.layout.packet, this.layout.ethernet + 6, address)
  }
  /**
   * The field as it is. In a tagged frame it is the outer tag's TPID. A value below 1536 is a length.
   * `reader.etherType` is the EtherType after all tags.
   */
  get etherType(): number {
    return this.layout.packet.uint16(this.layout.ethernet + 12)
  }
}

/** A VLAN tag, 4 bytes: the outer tag, or the inner tag of QinQ. The tag's first two bytes (TPID) precede `offset`. */
export class VlanHeader extends HeaderView {
  readonly #inner: boolean

  /** @internal */
  constructor(layout: HeaderView['layout'], inner: boolean) {
    super(layout)
    this.#inner = inner
  }

  /** Offset of the tag control information. */
  get offset(): number {
    return this.#inner ? this.layout.innerVlan : this.layout.vlan
  }
  get length(): number {
    return 4
  }
  /** TPID, the kind of tag, such as `EtherType.SERVICE_VLAN`. */
  get tagProtocolIdentifier(): number {
    return this.layout.packet.uint16(this.offset - 2)
  }
  /** The priority (PCP), 0 to 7. */
  get priorityCodePoint(): number {
    return this.layout.packet.uint8(this.offset) >>> 5
  }
  /** The drop eligible indicator (DEI). */
  get dropEligible(): boolean {
    return (this.layout.packet.uint8(this.offset) & 0x10) !== 0
  }
  /** The VLAN identifier (VID), 0 to 4095. */
  get vlanIdentifier(): number {
    return this.layout.packet.uint16(this.offset) & 0xfff
  }
  /** The EtherType of the data after the tag. */
  get etherType(): number {
    return this.layout.packet.uint16(this.offset + 2)
  }
}

/**
 * An ARP packet. Its addresses may have any length, but the address getters support only Ethernet and IPv4: they return
 * `undefined` for other kinds of addresses.
 */
export class ArpHeader extends HeaderView {
  get offset(): number {
    return this.layout.arp
  }
  get length(): number {
    return 8 + 2 * (this.hardwareAddressLength + this.protocolAddressLength)
  }
  /** The kind of the hardware addresses. 1 is Ethernet. */
  get hardwareType(): number {
    return this.layout.packet.uint16(this.layout.arp)
  }
  /** The kind of the protocol addresses, an EtherType. 0x0800 is IPv4. */
  get protocolType(): number {
    return this.layout.packet.uint16(this.layout.arp + 2)
  }
  /** Length of a hardware address in bytes, 6 for Ethernet. */
  get hardwareAddressLength(): number {
    return this.layout.packet.uint8(this.layout.arp + 4)
  }
  /** Length of a protocol address in bytes, 4 for IPv4. */
  get protocolAddressLength(): number {
    return this.layout.packet.uint8(this.layout.arp + 5)
  }
  /** The operation: 1 is a request, 2 is a reply. */
  get operation(): number {
    return this.layout.packet.uint16(this.layout.arp + 6)
  }
  /** The sender's Ethernet address, or `undefined` for other kinds of addresses. */
  get senderHardwareAddress(): number | undefined {
    return this.#isEthernet() ? six(this.layout.packet, this.layout.arp + 8) : undefined
  }
  /** The sender's IPv4 address, or `undefined` for other kinds of addresses. */
  get senderProtocolAddress(): number | undefined {
    return this.#isEthernet() ? this.layout.packet.uint32(this.layout.arp + 14) : undefined
  }
  /** The target's Ethernet address, or `undefined` for other kinds of addresses. In a request it is zero. */
  get targetHardwareAddress(): number | undefined {
    return this.#isEthernet() ? six(this.layout.packet, this.layout.arp + 18) : undefined
  }
  /** The target's IPv4 address, or `undefined` for other kinds of addresses. */
  get targetProtocolAddress(): number | undefined {
    return this.#isEthernet() ? this.layout.packet.uint32(this.layout.arp + 24) : undefined
  }

  /** Whether the types and lengths are those of Ethernet and IPv4. */
  #isEthernet(): boolean {
    const { packet, arp } = this.layout
    return packet.uint32(arp) === 0x00010800 && packet.uint16(arp + 4) === 0x0604
  }
}
