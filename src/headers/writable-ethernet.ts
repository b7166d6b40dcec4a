// The writer's views of Ethernet, VLAN tags and ARP. A number that is too large for its field is truncated to the width
// of the field.
import { ArpHeader, EthernetHeader, VlanHeader } from './ethernet.js'
import type { WritableLayout } from './writable-layout.js'

const TWO_32 = 0x100000000

function setSix(layout: WritableLayout, at: number, value: number): void {
  layout.plain(at, Math.floor(value / TWO_32))
  layout.plainLong(at + 2, value)
}

/** An Ethernet header, to read and to write. */
export class WritableEthernetHeader extends EthernetHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get destinationAddress(): number {
    return super.destinationAddress
  }
  override set destinationAddress(value: number) {
    setSix(this.layout, this.layout.ethernet, value)
  }
  override get sourceAddress(): number {
    return super.sourceAddress
  }
  override set sourceAddress(value: number) {
    setSix(this.layout, this.layout.ethernet + 6, value)
  }
  override get etherType(): number {
    return super.etherType
  }
  override set etherType(value: number) {
    this.layout.plain(this.layout.ethernet + 12, value)
  }
}

/** A VLAN tag, to read and to write. */
export class WritableVlanHeader extends VlanHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get tagProtocolIdentifier(): number {
    return super.tagProtocolIdentifier
  }
  override set tagProtocolIdentifier(value: number) {
    this.layout.plain(this.offset - 2, value)
  }
  override get priorityCodePoint(): number {
    return super.priorityCodePoint
  }
  override set priorityCodePoint(value: number) {
    this.#control(0xe000, value << 13)
  }
  override get dropEligible(): boolean {
    return super.dropEligible
  }
  override set dropEligible(value: boolean) {
    this.#control(0x1000, value ? 0x1000 : 0)
  }
  override get vlanIdentifier(): number {
    return super.vlanIdentifier
  }
  override set vlanIdentifier(value: number) {
    this.#control(0x0fff, value)
  }

  #control(mask: number, value: number): void {
    this.layout.plain(this.offset, value, mask)
  }
}

/**
 * An ARP packet, to read and to write. Setting an address throws a `TypeError` if the packet's addresses are not
 * Ethernet and IPv4 addresses.
 */
export class WritableArpHeader extends ArpHeader {
  /** @internal */
  declare readonly layout: WritableLayout

  override get operation(): number {
    return super.operation
  }
  override set operation(value: number) {
    this.layout.plain(this.layout.arp + 6, value)
  }
  override get senderHardwareAddress(): number | undefined {
    return super.senderHardwareAddress
  }
  override set senderHardwareAddress(value: number) {
    const at = this.#checkedOffset() + 8
    setSix(this.layout, at, value)
  }
  override get senderProtocolAddress(): number | undefined {
    return super.senderProtocolAddress
  }
  override set senderProtocolAddress(value: number) {
    const at = this.#checkedOffset() + 14
    this.layout.plainLong(at, value)
  }
  override get targetHardwareAddress(): number | undefined {
    return super.targetHardwareAddress
  }
  override set targetHardwareAddress(value: number) {
    const at = this.#checkedOffset() + 18
    setSix(this.layout, at, value)
  }
  override get targetProtocolAddress(): number | undefined {
    return super.targetProtocolAddress
  }
  override set targetProtocolAddress(value: number) {
    const at = this.#checkedOffset() + 24
    this.layout.plainLong(at, value)
  }

  #checkedOffset(): number {
    const { arp } = this.layout
    if (super.senderProtocolAddress === undefined)
      throw new TypeError('only Ethernet and IPv4 addresses of an ARP packet can be set')
    return arp
  }
}
