// HeaderWriter: the cursor of HeaderReader over writable packets, with views that have setters.
import type { WritablePacket } from '../packet/writable.js'
import { FragmentHeader } from './ipv6.js'
import { HeaderCursor, type HeaderOptions, type Views } from './reader.js'
import { WritableArpHeader, WritableEthernetHeader, WritableVlanHeader } from './writable-ethernet.js'
import { WritableIpv4Header, WritableIpv6Header } from './writable-ip.js'
import { WritableLayout } from './writable-layout.js'
import {
  WritableIcmpHeader,
  WritableIcmpv6Header,
  WritableTcpHeader,
  WritableUdpHeader,
} from './writable-transport.js'
import { WritableGreHeader, WritableVxlanHeader } from './writable-tunnels.js'

function writableViews(layout: WritableLayout) {
  return {
    ethernet: new WritableEthernetHeader(layout),
    vlan: new WritableVlanHeader(layout, false),
    innerVlan: new WritableVlanHeader(layout, true),
    arp: new WritableArpHeader(layout),
    ipv4: new WritableIpv4Header(layout),
    ipv6: new WritableIpv6Header(layout),
    fragment: new FragmentHeader(layout),
    tcp: new WritableTcpHeader(layout),
    udp: new WritableUdpHeader(layout),
    icmp: new WritableIcmpHeader(layout),
    icmpv6: new WritableIcmpv6Header(layout),
    vxlan: new WritableVxlanHeader(layout),
    gre: new WritableGreHeader(layout),
  } satisfies Views
}
export type WritableViews = ReturnType<typeof writableViews>

/**
 * Writes into the headers of packets, in `mapPackets` and `processPackets`. You assign to the fields that `HeaderReader`
 * reads, and every checksum that covers them is updated incrementally (RFC 1624): of IPv4, of TCP, UDP, ICMP and ICMPv6 with
 * the pseudo-header, of outer tunnels. A wrong checksum stays as wrong as it was, a UDP checksum of zero stays zero, and a
 * checksum that the guest left to be computed is still to be computed. Make it once and use it for any number of packets.
 *
 * @example
 * const writer = new HeaderWriter()
 * guest.fromGuest().pipe(mapPackets(packet => {
 *   const { ipv4 } = writer.of(packet)
 *   if (ipv4) ipv4.destinationAddress = ipv4Address('192.0.2.1')
 * }))
 */
export class HeaderWriter extends HeaderCursor<WritablePacket, WritableViews> {
  readonly #layout: WritableLayout
  readonly #outer: HeaderWriter | null

  constructor(options?: HeaderOptions)
  /** @internal */
  constructor(options: HeaderOptions, depth: number, outer: HeaderWriter | null)
  constructor(options: HeaderOptions = {}, depth = 0, outer: HeaderWriter | null = null) {
    const layout = new WritableLayout(options.vxlanPort, outer === null ? null : outer.#layout)
    super(layout, writableViews(layout), options, depth)
    this.#layout = layout
    this.#outer = outer
  }

  /** @internal */
  protected nested(options: HeaderOptions, depth: number): this {
    return new HeaderWriter(options, depth, this) as this
  }

  /**
   * Computes the checksums of the packet from its bytes, after a write into the payload: first those of these headers, then
   * those of outer tunnels. For headers inside a tunnel call `writer.inner?.fillChecksums()`. Reads the whole packet. Skips a
   * checksum that can't be computed (of a fragment), that is absent (UDP's zero), or that the guest left to be computed.
   */
  fillChecksums(): void {
    this.#layout.fill()
    this.#outer?.fillChecksums()
  }
}
