// The writer's views of IPv4 and IPv6. A number that is too large for its field is truncated to the width of the field.
import { Ipv4Header } from './ipv4.js'
import { Ipv6Header } from './ipv6.js'
import type { WritableLayout } from './writable-layout.js'

/**
 * An IPv4 header, to read and to write. A write updates all checksums. If you set a length, it must match the length of
 * the frame.
 */
export class WritableIpv4Header extends Ipv4Header {
  /** @internal */
  declare readonly layout: WritableLayout

  override get differentiatedServices(): number {
    return super.differentiatedServices
  }
  override set differentiatedServices(value: number) {
    this.#masked(0, 0x00fc, value << 2)
  }
  override get congestionNotification(): number {
    return super.congestionNotification
  }
  override set congestionNotification(value: number) {
    this.#masked(0, 0x0003, value)
  }
  override get totalLength(): number {
    return super.totalLength
  }
  /**
   * TCP's checksum stays correct only if all added or removed bytes are zero. Otherwise call `of()` and
   * `fillChecksums()` after this write.
   */
  override set totalLength(value: number) {
    const { layout } = this
    const before = super.totalLength
    layout.ip4Word(layout.ip4 + 2, value)
    if (layout.transport().tcp >= 0) layout.pseudoChanged(before, super.totalLength)
  }
  override get identification(): number {
    return super.identification
  }
  override set identification(value: number) {
    this.layout.ip4Word(this.layout.ip4 + 4, value)
  }
  override get dontFragment(): boolean {
    return super.dontFragment
  }
  override set dontFragment(value: boolean) {
    this.#masked(6, 0x4000, value ? 0x4000 : 0)
  }
  override get timeToLive(): number {
    return super.timeToLive
  }
  override set timeToLive(value: number) {
    this.#masked(8, 0xff00, value << 8)
  }
  override get sourceAddress(): number {
    return super.sourceAddress
  }
  override set sourceAddress(value: number) {
    const { layout } = this
    layout.pseudoLong(layout.ip4 + 12, value)
  }
  override get destinationAddress(): number {
    return super.destinationAddress
  }
  override set destinationAddress(value: number) {
    const { layout } = this
    const at = layout.ip4 + 16
    if (layout.isRouted) layout.ip4Long(at, value)
    else layout.pseudoLong(at, value)
  }

  #masked(field: number, mask: number, value: number): void {
    this.layout.ip4Word(this.layout.ip4 + field, value, mask)
  }
}

/**
 * An IPv6 header, to read and to write. A write updates all checksums. If you set a length, it must match the length of
 * the frame.
 */
export class WritableIpv6Header extends Ipv6Header {
  /** @internal */
  declare readonly layout: WritableLayout

  override get trafficClass(): number {
    return super.trafficClass
  }
  override set trafficClass(value: number) {
    this.#masked(0, 0x0ff0, value << 4)
  }
  override get flowLabel(): number {
    return super.flowLabel
  }
  override set flowLabel(value: number) {
    this.#masked(0, 0x000f, value >>> 16)
    this.layout.plain(this.layout.ip6 + 2, value)
  }
  override get payloadLength(): number {
    return super.payloadLength
  }
  /**
   * The checksum of TCP and ICMPv6 stays correct only if all added or removed bytes are zero. Otherwise call `of()` and
   * `fillChecksums()` after this write.
   */
  override set payloadLength(value: number) {
    const { layout } = this
    const before = super.payloadLength
    layout.plain(layout.ip6 + 4, value)
    if (layout.transport().udp < 0) layout.pseudoChanged(before, super.payloadLength)
  }
  override get hopLimit(): number {
    return super.hopLimit
  }
  override set hopLimit(value: number) {
    this.#masked(6, 0x00ff, value)
  }

  /** Writes the source address, 16 bytes. */
  setSource(address: Uint8Array): void {
    this.#address(8, address, false)
  }
  /** Writes the destination address, 16 bytes. */
  setDestination(address: Uint8Array): void {
    this.#address(24, address, this.layout.isRouted)
  }

  #address(field: number, address: Uint8Array, isRouted: boolean): void {
    if (address.length !== 16)
      throw new TypeError(`an IPv6 address must have 16 bytes, not ${address.length}`)
    const { layout } = this
    const at = layout.ip6 + field
    for (let i = 0; i < 16; i += 4) {
      const words = (address[i] << 24) | (address[i + 1] << 16) | (address[i + 2] << 8) | address[i + 3]
      if (isRouted) layout.plainLong(at + i, words)
      else layout.pseudoLong(at + i, words)
    }
  }

  #masked(field: number, mask: number, value: number): void {
    this.layout.plain(this.layout.ip6 + field, value, mask)
  }
}
