// HeaderReader: a cursor that is made once and reads the headers of one packet after the other, with a view for each kind of
// header, which are made with it.
import type { PacketView } from '../packet/view.js'
import { ArpHeader, EthernetHeader, VlanHeader } from './ethernet.js'
import { Ipv4Header } from './ipv4.js'
import { FragmentHeader, Ipv6Header } from './ipv6.js'
import { FRAME, Layout } from './layout.js'
import { EtherType } from './numbers.js'
import { IcmpHeader, Icmpv6Header, TcpHeader, UdpHeader } from './transport.js'
import { GreHeader, VxlanHeader } from './tunnels.js'

/** The depth of tunnels in tunnels that a reader follows. */
const MAX_TUNNELS = 4

/** The views of a reader, by the names of its members. @internal */
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
  /** The UDP port of VXLAN. Default 4789; Linux without `dstport` uses 8472. */
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
   * Moves to `packet`, without reading it yet. Returns this cursor. The views are valid until the packet's lease ends, and
   * until the next call. Call it again after a write that moved headers, or changed them other than by the views.
   */
  of(packet: P): this {
    this.layout.aim(packet, FRAME, 0, packet.length)
    return this
  }

  /** Ethernet II; `undefined` inside a tunnel that carries packets without it. */
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
  /** The EtherType after all tags, as `EtherType`; `undefined` without an Ethernet header. */
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
  /** TCP; `undefined` in later fragments, as all headers above IP. */
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
  /** VXLAN; `inner` reads the frame that it carries. */
  get vxlan(): V['vxlan'] | undefined {
    return this.layout.transport().vxlan >= 0 ? this.#views.vxlan : undefined
  }
  /** GRE; `inner` reads the packet that it carries. */
  get gre(): V['gre'] | undefined {
    return this.layout.transport().gre >= 0 ? this.#views.gre : undefined
  }

  /**
   * A cursor at the packet inside VXLAN or GRE: an Ethernet frame, or IP or ARP without one; `undefined` without a tunnel. The
   * same object each time; it stays at the packet that the outer cursor was at.
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
 * Reads the headers of packets, borrowed, held, detached or writable: `reader.of(packet).tcp?.destinationPort`. Make it
 * once and use it for any number of packets; it allocates nothing for a packet. A header that is truncated, or whose lengths
 * do not fit in what contains it, is `undefined`, as are the headers after it.
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
