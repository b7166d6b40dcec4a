// HeaderWriter: a cursor like HeaderReader, for writable packets. Its views have setters.
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
 * Writes into the headers of packets, in `mapPackets` and `processPackets`. You assign to the fields that
 * `HeaderReader` reads. An assignment also updates every checksum that covers the field, incrementally (RFC 1624): the
 * checksums of IPv4, of TCP, UDP, ICMP and ICMPv6 (with the pseudo-header), and of outer tunnels. A checksum that was
 * wrong stays wrong. A UDP checksum of zero stays zero. A checksum that the guest left for the device to compute is
 * still to be computed. Create one writer and use it for any number of packets.
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
   * Computes the checksums of the packet from its bytes. Call it after a write into the payload. It reads the whole
   * packet. It first computes the checksums of these headers, then the checksums of outer tunnels. For headers inside a
   * tunnel call `writer.inner?.fillChecksums()`. It skips a checksum that can't be computed (in a fragment), that is
   * absent (zero in UDP), or that the guest left for the device to compute.
   */
  fillChecksums(): void {
    this.#layout.fill()
    this.#outer?.fillChecksums()
  }
}
