// HeaderReader: a cursor that reads the headers of one packet after another. It has one view for each kind of header.
// The cursor and its views are created once and used for all packets.
import type { PacketView } from '../packet/view.js'
import { ArpHeader, EthernetHeader, VlanHeader } from './ethernet.js'
import { Ipv4Header } from './ipv4.js'
import { FragmentHeader, Ipv6Header } from './ipv6.js'
import { FRAME, Layout } from './layout.js'
import { EtherType } from './numbers.js'
import { IcmpHeader, Icmpv6Header, TcpHeader, UdpHeader } from './transport.js'
import { GreHeader, VxlanHeader } from './tunnels.js'

/** Maximum number of nested tunnels that a reader follows. */
const MAX_TUNNELS = 4

/** Returns the views of a reader. Each has the name of the reader's getter. @internal */
export function readOnlyViews(layout: Layout) {
  return {
    ethernet: new EthernetHeader(layout),
    vlan: new VlanHeader(layout, false),
    innerVlan: new VlanHeader(layout, true),
    arp: new ArpHeader(layout),
    ipv4: new Ipv4Header(layout),
    ipv6: new Ipv6Header(layout),
    fragment: new FragmentHeader(layout),
    tcp: new TcpHeader(layout),
    udp: new UdpHeader(layout),
    icmp: new IcmpHeader(layout),
    icmpv6: new Icmpv6Header(layout),
    vxlan: new VxlanHeader(layout),
    gre: new GreHeader(layout),
  }
}
export type Views = ReturnType<typeof readOnlyViews>

/** Options of a reader or a writer of headers. */
export interface HeaderOptions {
  /** The UDP port of VXLAN. Default 4789. Linux uses 8472 if `dstport` is not set. */
  vxlanPort?: number
}

/** The base of `HeaderReader` and `HeaderWriter`. @internal */
export abstract class HeaderCursor<P extends PacketView, V extends Views> {
  /** @internal */
  readonly layout: Layout
  readonly #views: V
  readonly #options: HeaderOptions
  readonly #depth: number
  #inner: this | undefined

  /** @internal */
  constructor(layout: Layout, views: V, options: HeaderOptions, depth: number) {
    this.layout = layout
    this.#views = views
    this.#options = options
    this.#depth = depth
  }

  /** @internal */
  protected abstract nested(options: HeaderOptions, depth: number): this

  /**
   * Moves to `packet` and returns this cursor. Does not read the packet yet. The views are valid until the packet's
   * lease ends or `of()` is called again. Call `of()` again after a write that moved headers, or that changed headers
   * without the views.
   */
  of(packet: P): this {
    this.layout.aim(packet, FRAME, 0, packet.length)
    return this
  }

  /** Ethernet II. `undefined` inside a tunnel whose packets have no Ethernet header. */
  get ethernet(): V['ethernet'] | undefined {
    return this.layout.link().ethernet >= 0 ? this.#views.ethernet : undefined
  }
  /** The outer VLAN tag. */
  get vlan(): V['vlan'] | undefined {
    return this.layout.link().vlan >= 0 ? this.#views.vlan : undefined
  }
  /** The second VLAN tag of QinQ. Headers after a third tag are not read. */
  get innerVlan(): V['innerVlan'] | undefined {
    return this.layout.link().innerVlan >= 0 ? this.#views.innerVlan : undefined
  }
  /** The EtherType after all tags (see `EtherType`), or `undefined` if there is no Ethernet header. */
  get etherType(): number | undefined {
    const { type } = this.layout.link()
    return type < 0 ? undefined : type
  }
  /** ARP. */
  get arp(): V['arp'] | undefined {
    return this.layout.network().arp >= 0 ? this.#views.arp : undefined
  }
  /** IPv4. */
  get ipv4(): V['ipv4'] | undefined {
    return this.layout.network().ip4 >= 0 ? this.#views.ipv4 : undefined
  }
  /** IPv6. */
  get ipv6(): V['ipv6'] | undefined {
    return this.layout.network().ip6 >= 0 ? this.#views.ipv6 : undefined
  }
  /** IPv6's Fragment header. */
  get fragment(): V['fragment'] | undefined {
    return this.layout.transport().fragment >= 0 ? this.#views.fragment : undefined
  }
  /** TCP. Like all headers above IP, it is `undefined` in later fragments. */
  get tcp(): V['tcp'] | undefined {
    return this.layout.transport().tcp >= 0 ? this.#views.tcp : undefined
  }
  /** UDP. */
  get udp(): V['udp'] | undefined {
    return this.layout.transport().udp >= 0 ? this.#views.udp : undefined
  }
  /** ICMP over IPv4. */
  get icmp(): V['icmp'] | undefined {
    return this.layout.transport().icmp >= 0 ? this.#views.icmp : undefined
  }
  /** ICMPv6. */
  get icmpv6(): V['icmpv6'] | undefined {
    return this.layout.transport().icmp6 >= 0 ? this.#views.icmpv6 : undefined
  }
  /** VXLAN. The property `inner` reads the frame inside the tunnel. */
  get vxlan(): V['vxlan'] | undefined {
    return this.layout.transport().vxlan >= 0 ? this.#views.vxlan : undefined
  }
  /** GRE. The property `inner` reads the packet inside the tunnel. */
  get gre(): V['gre'] | undefined {
    return this.layout.transport().gre >= 0 ? this.#views.gre : undefined
  }

  /**
   * A cursor at the packet inside VXLAN or GRE: an Ethernet frame, or an IP or ARP packet without an Ethernet header.
   * `undefined` if there is no tunnel, or after 4 nested tunnels. The property is the same object each time. After the
   * outer cursor has moved, the inner cursor is still at the old packet until you read `inner` again.
   */
  get inner(): this | undefined {
    const { layout } = this
    const { vxlan, gre, packet, end } = layout.transport()
    if (this.#depth === MAX_TUNNELS || (vxlan < 0 && gre < 0)) return undefined
    this.#inner ??= this.nested(this.#options, this.#depth + 1)
    if (vxlan >= 0) this.#inner.layout.aim(packet, FRAME, vxlan + 8, end)
    else {
      const type = packet.uint16(gre + 2)
      const inside = type === EtherType.ETHERNET ? FRAME : type
      this.#inner.layout.aim(packet, inside, this.#views.gre.payloadOffset, end)
    }
    return this.#inner
  }
}

/**
 * Reads the headers of packets: `reader.of(packet).tcp?.destinationPort`. A packet may be borrowed, held, detached or
 * writable. Create one reader and use it for any number of packets: it allocates nothing per packet. A header is
 * `undefined` if it is truncated, or if its length fields exceed the enclosing payload. In this case all headers after
 * it are `undefined`, too.
 *
 * @example
 * const reader = new HeaderReader()
 * guest.fromGuest().pipe(filterPackets(packet => reader.of(packet).tcp?.destinationPort === 443))
 */
export class HeaderReader extends HeaderCursor<PacketView, Views> {
  constructor(options?: HeaderOptions)
  /** @internal */
  constructor(options: HeaderOptions, depth: number)
  constructor(options: HeaderOptions = {}, depth = 0) {
    const layout = new Layout(options.vxlanPort)
    super(layout, readOnlyViews(layout), options, depth)
  }

  /** @internal */
  protected nested(options: HeaderOptions, depth: number): this {
    return new HeaderReader(options, depth) as this
  }
}
