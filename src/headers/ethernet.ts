// Views of Ethernet (IEEE 802.3), VLAN tags (IEEE 802.1Q, two of them for 802.1ad) and ARP (RFC 826).
import type { PacketView } from '../packet/view.js'
import { HeaderView } from './view.js'

const TWO_32 = 0x100000000

/** Reads six bytes as a number of 48 bits, which a double can hold. */
const six = (packet: PacketView, at: number): number => packet.uint16(at) * TWO_32 + packet.uint32(at + 2)

function isSix(packet: PacketView, at: number, value: number): boolean {
  return (
    packet.uint16(at + 4) === (value & 0xffff) &&
    packet.uint16(at + 2) === ((value >>> 16) & 0xffff) &&
    packet.uint16(at) === Math.floor(value / TWO_32)
  )
}

/** An Ethernet header, 14 bytes. Addresses are numbers of 48 bits: `macAddress('02:00:00:00:00:01')`. */
export class EthernetHeader extends HeaderView {
  get offset(): number {
    return this.layout.ethernet
  }
  get length(): number {
    return 14
  }
  /** Six bytes as a number; `formatMac` writes it out. */
  get destinationAddress(): number {
    return six(this.layout.packet, this.layout.ethernet)
  }
  /** Six bytes as a number; `formatMac` writes it out. */
  get sourceAddress(): number {
    return six(this.layout.packet, this.layout.ethernet + 6)
  }
  /** Is this the destination? Never allocates, which the getter does if V8 does not inline it: the number has 48 bits. */
  destinationEquals(address: number): boolean {
    return isSix(this.layout.packet, this.layout.ethernet, address)
  }
  /** Is this the source? Never allocates. */
  sourceEquals(address: number): boolean {
    return isSix(this.layout.packet, this.layout.ethernet + 6, address)
  }
  /** The field as it is: of a tagged frame the tag's TPID; below 1536 a length. `reader.etherType` is that after all tags. */
  get etherType(): number {
    return this.layout.packet.uint16(this.layout.ethernet + 12)
  }
}

/** A VLAN tag: the outer one, or the inner one of QinQ. Four bytes, of which the first two precede `offset`. */
export class VlanHeader extends HeaderView {
  readonly #inner: boolean

  /** @internal */
  constructor(layout: HeaderView['layout'], inner: boolean) {
    super(layout)
    this.#inner = inner
  }

  /** Where the tag control information begins. */
  get offset(): number {
    return this.#inner ? this.layout.innerVlan : this.layout.vlan
  }
  get length(): number {
    return 4
  }
  /** TPID: which kind of tag, as `EtherType.SERVICE_VLAN`. */
  get tagProtocolIdentifier(): number {
    return this.layout.packet.uint16(this.offset - 2)
  }
  /** PCP, 0 to 7. */
  get priorityCodePoint(): number {
    return this.layout.packet.uint8(this.offset) >>> 5
  }
  /** DEI. */
  get dropEligible(): boolean {
    return (this.layout.packet.uint8(this.offset) & 0x10) !== 0
  }
  /** VID, 0 to 4095. */
  get vlanIdentifier(): number {
    return this.layout.packet.uint16(this.offset) & 0xfff
  }
  /** The type of what follows the tag. */
  get etherType(): number {
    return this.layout.packet.uint16(this.offset + 2)
  }
}

/**
 * An ARP packet, with addresses of any length. The address fields are those of Ethernet and IPv4: they are `undefined` in a
 * packet about other kinds of addresses.
 */
export class ArpHeader extends HeaderView {
  get offset(): number {
    return this.layout.arp
  }
  get length(): number {
    return 8 + 2 * (this.hardwareAddressLength + this.protocolAddressLength)
  }
  /** 1 is Ethernet. */
  get hardwareType(): number {
    return this.layout.packet.uint16(this.layout.arp)
  }
  /** An EtherType: 0x0800 is IPv4. */
  get protocolType(): number {
    return this.layout.packet.uint16(this.layout.arp + 2)
  }
  /** In bytes: 6 for Ethernet. */
  get hardwareAddressLength(): number {
    return this.layout.packet.uint8(this.layout.arp + 4)
  }
  /** In bytes: 4 for IPv4. */
  get protocolAddressLength(): number {
    return this.layout.packet.uint8(this.layout.arp + 5)
  }
  /** 1 is a request, 2 a reply. */
  get operation(): number {
    return this.layout.packet.uint16(this.layout.arp + 6)
  }
  /** The sender's Ethernet address. `undefined` in a packet about other kinds of addresses, as the next three. */
  get senderHardwareAddress(): number | undefined {
    return this.#isEthernet() ? six(this.layout.packet, this.layout.arp + 8) : undefined
  }
  /** The sender's IPv4 address. */
  get senderProtocolAddress(): number | undefined {
    return this.#isEthernet() ? this.layout.packet.uint32(this.layout.arp + 14) : undefined
  }
  /** The target's Ethernet address; zero in a request. */
  get targetHardwareAddress(): number | undefined {
    return this.#isEthernet() ? six(this.layout.packet, this.layout.arp + 18) : undefined
  }
  /** The target's IPv4 address. */
  get targetProtocolAddress(): number | undefined {
    return this.#isEthernet() ? this.layout.packet.uint32(this.layout.arp + 24) : undefined
  }

  /** Ethernet and IPv4, by types and lengths. */
  #isEthernet(): boolean {
    const { packet, arp } = this.layout
    return packet.uint32(arp) === 0x00010800 && packet.uint16(arp + 4) === 0x0604
  }
}
