// Finds the offsets of the headers in a frame. The views (ethernet.ts, ipv4.ts …) use these offsets to read fields. A
// walk over the headers has three stages: link, network and transport. Each stage runs when its headers are first
// needed, and allocates nothing. A stage checks the lease once, and checks every bound. The views then read through the
// packet's accessors, which check lease and bounds again.
//
// Specifications: RFC 791, 8200 (§4: extension headers), 9293, 768, 792, 4443, 7348, 2784, 2890, 826, IEEE 802.1Q.
//
// A header is present only if the packet contains all its bytes, and if its length fields do not exceed the enclosing
// payload. So code that reads a present header need not check the length fields again. Any other header is treated as
// absent, because a receiver would not accept it either.
import { SLOT_HEADER, SLOT_SHIFT } from '../packet/slots.js'
import { type PacketView, slotOf, slotsOf, startOf } from '../packet/view.js'
import { extensionLength, MAX_EXTENSIONS } from './extensions.js'
import { EtherType, IpProtocol, VXLAN_PORT } from './numbers.js'

/** Offset of an absent header. Even after the offset of any field is added, it is outside every packet. */
export const ABSENT = -0x100000

/** Maximum number of VLAN tags: QinQ has two. Headers after a third tag are treated as absent. */
const MAX_TAGS = 2
/** An unknown type or protocol. It is negative, so it differs from every number on the wire. */
export const NOTHING = -1
/** Used instead of an EtherType. It means that the bytes begin with an Ethernet header. */
export const FRAME = -2

/**
 * GRE's bits 1, 4 and 5, and its version. A receiver must discard a header in which any of these bits is set (RFC 2784
 * §2.2, 2890 §2).
 */
const GRE_REFUSED = 0x4c07
/** VXLAN's I flag, which means that the identifier is valid (RFC 7348 §5). */
const VALID_IDENTIFIER = 0x08

const UNKNOWN = 0
const LINK = 1
const NETWORK = 2
const TRANSPORT = 3

export class Layout {
  packet!: PacketView
  /**
   * The bytes of the pool, for the walk. The frame begins at `start`. The walk reads only at `start` plus an offset
   * that is less than `end`.
   */
  view!: DataView
  start = 0
  ethernet = ABSENT
  vlan = ABSENT
  innerVlan = ABSENT
  arp = ABSENT
  ip4 = ABSENT
  ip6 = ABSENT
  /** IPv6's Fragment header. */
  fragment = ABSENT
  /** Offset and type of the extension header that `Ipv6Header.extension()` found last. */
  extension = ABSENT
  extensionType = NOTHING
  tcp = ABSENT
  udp = ABSENT
  icmp = ABSENT
  icmp6 = ABSENT
  gre = ABSENT
  vxlan = ABSENT
  /** The EtherType after all tags. */
  type = NOTHING
  /** The protocol of IP's payload, after all extension headers. NOTHING in a fragment that is not the first. */
  protocol = NOTHING
  /**
   * Whether the packet is a fragment, the first or a later one. The length and checksum of a transport header then
   * cover bytes that are not in this packet.
   */
  fragmented = false
  /**
   * Offset of the first byte after the headers that were found so far. After the last stage it is the offset of the
   * upper layer's header.
   */
  at = 0
  /** Offset of the end of the payload, without padding. */
  end = 0
  #stage = UNKNOWN
  readonly vxlanPort: number

  constructor(vxlanPort = VXLAN_PORT) {
    this.vxlanPort = vxlanPort
  }

  /** Starts a new walk over the bytes from `at` to `end` of `packet`. The bytes begin with a header of `type`. */
  aim(packet: PacketView, type: number, at: number, end: number): void {
    this.packet = packet
    this.type = type
    this.at = at
    this.end = end
    if (this.#stage !== UNKNOWN) this.#forget()
  }

  #forget(): void {
    if (this.#stage === TRANSPORT) {
      this.tcp = this.udp = this.icmp = this.icmp6 = this.gre = this.vxlan = ABSENT
      this.fragment = this.extension = ABSENT
    }
    this.ethernet = this.vlan = this.innerVlan = this.arp = this.ip4 = this.ip6 = ABSENT
    this.protocol = NOTHING
    this.fragmented = false
    this.#stage = UNKNOWN
  }

  // The three stages. Each throws if the packet's lease has ended, even if the stage has already run: reading
  // `packet.length` checks the lease.

  link(): this {
    if (this.#stage === UNKNOWN) this.#walkLink()
    else this.packet.length
    return this
  }

  network(): this {
    if (this.#stage >= NETWORK) this.packet.length
    else this.#walkNetwork()
    return this
  }

  transport(): this {
    if (this.#stage === TRANSPORT) this.packet.length
    else this.#walkTransport()
    return this
  }

  // Runs once per stage, because the packet may have become shorter since the previous stage.
  #begin(): void {
    const { packet } = this
    const { length } = packet
    if (this.end > length) this.end = length
    this.start = startOf(packet)
    this.view = slotsOf(packet).view
  }

  #walkLink(): void {
    this.#begin()
    this.#stage = LINK
    if (this.type !== FRAME) return
    const { view, start, at: ethernet, end } = this
    this.type = NOTHING
    if (end - ethernet < 14) return
    this.ethernet = ethernet
    let type = view.getUint16(start + ethernet + 12)
    let at = ethernet + 14
    for (let tags = 0; tags < MAX_TAGS && isTag(type) && end - at >= 4; tags++, at += 4) {
      if (tags === 0) this.vlan = at
      else this.innerVlan = at
      type = view.getUint16(start + at + 2)
    }
    this.type = type
    this.at = at
  }

  #walkNetwork(): void {
    if (this.#stage < LINK) this.#walkLink()
    else this.#begin()
    this.#stage = NETWORK
    if (this.type === EtherType.IPV4) this.#walkIp4()
    else if (this.type === EtherType.IPV6) this.#walkIp6()
    else if (this.type === EtherType.ARP) this.#walkArp()
  }

  #walkIp4(): void {
    const { view, at, end } = this
    if (end - at < 20) return
    const from = this.start + at
    const first = view.getUint8(from)
    const header = (first & 0xf) << 2
    let total = view.getUint16(from + 2)
    if (total !== end - at && isSegmented(this.packet)) total = end - at
    if (first >>> 4 !== 4 || header < 20 || total < header || total > end - at) return
    this.ip4 = at
    this.at = at + header
    this.end = at + total
    const fragment = view.getUint16(from + 6) & 0x3fff
    this.fragmented = fragment !== 0
    if ((fragment & 0x1fff) === 0) this.protocol = view.getUint8(from + 9)
  }

  #walkIp6(): void {
    const { view, at, end } = this
    if (end - at < 40) return
    const from = this.start + at
    let payload = view.getUint16(from + 4)
    if (payload !== end - at - 40 && isSegmented(this.packet)) payload = end - at - 40
    if (view.getUint8(from) >>> 4 !== 6 || payload > end - at - 40) return
    this.ip6 = at
    this.at = at + 40
    this.end = at + 40 + payload
    this.protocol = view.getUint8(from + 6)
  }

  #walkArp(): void {
    const { view, at, end } = this
    if (end - at < 8) return
    const from = this.start + at
    const length = 8 + 2 * (view.getUint8(from + 4) + view.getUint8(from + 5))
    if (length <= end - at) this.arp = at
  }

  #walkTransport(): void {
    if (this.#stage < NETWORK) this.#walkNetwork()
    else this.#begin()
    this.#stage = TRANSPORT
    if (this.protocol !== NOTHING) walkUpperLayer(this)
  }
}

/**
 * Whether the packet is still to be cut into segments (virtio 1.2 §5.1.6.2). Its length fields may then be 0, or those
 * of the first segment: the lengths are those of the frame.
 */
export function isSegmented(packet: PacketView): boolean {
  const { meta } = slotsOf(packet)
  return (meta[(slotOf(packet) << SLOT_SHIFT) + SLOT_HEADER] & GSO_TYPE) !== 0
}
/** The bits of gso_type in the first word of the virtio-net header. */
const GSO_TYPE = 0xff00

const isTag = (type: number): boolean =>
  type === EtherType.VLAN || type === EtherType.SERVICE_VLAN || type === EtherType.OLD_SERVICE_VLAN

// Skips IPv6's extension headers, then finds the header of the transport protocol or of GRE.
function walkUpperLayer(layout: Layout): void {
  if (layout.ip6 >= 0) walkExtensions(layout)
  const { view, at } = layout
  const room = layout.end - at
  const from = layout.start + at
  switch (layout.protocol) {
    case IpProtocol.TCP:
      if (room >= 20) {
        const header = (view.getUint8(from + 12) >>> 2) & 0x3c
        if (header >= 20 && header <= room) layout.tcp = at
      }
      break
    case IpProtocol.UDP:
      if (room >= 8) walkUdp(layout, room)
      break
    case IpProtocol.ICMP:
      if (room >= 8 && layout.ip4 >= 0) layout.icmp = at
      break
    case IpProtocol.ICMPV6:
      if (room >= 8 && layout.ip6 >= 0) layout.icmp6 = at
      break
    case IpProtocol.GRE:
      if (room >= 4) {
        const flags = view.getUint16(from)
        if ((flags & GRE_REFUSED) === 0 && greLength(flags) <= room) layout.gre = at
      }
      break
  }
}

function walkUdp(layout: Layout, room: number): void {
  const { view, at } = layout
  const from = layout.start + at
  let length = view.getUint16(from + 4)
  if (length !== room && isSegmented(layout.packet)) length = room
  // In a first fragment the field is the length of the whole datagram.
  if (length < 8 || (length > room && !layout.fragmented)) return
  layout.udp = at
  if (length < room) layout.end = at + length
  if (view.getUint16(from + 2) === layout.vxlanPort && layout.end - at >= 16)
    if (view.getUint8(from + 8) & VALID_IDENTIFIER) layout.vxlan = at + 8
}

function walkExtensions(layout: Layout): void {
  const { view, start, end } = layout
  let { at, protocol } = layout
  for (let count = 0; protocol !== NOTHING; count++) {
    const length = extensionLength(protocol, end - at >= 2 ? view.getUint8(start + at + 1) : 0)
    if (length === 0) break
    // In RFC 8200 every extension header has at least 8 bytes.
    if (count === MAX_EXTENSIONS || end - at < 8 || length > end - at) {
      protocol = NOTHING
      break
    }
    const next = view.getUint8(start + at)
    if (protocol === IpProtocol.FRAGMENT) {
      layout.fragment = at
      const word = view.getUint16(start + at + 2)
      layout.fragmented = (word & 0xfff9) !== 0
      // In a later fragment no header follows the Fragment header.
      protocol = word >>> 3 === 0 ? next : NOTHING
    } else protocol = next
    at += length
  }
  layout.protocol = protocol
  layout.at = at
}

/**
 * Returns the length of a GRE header with these flags. Checksum, key and sequence number add 4 bytes each.
 *
 * @internal
 */
export const greLength = (flags: number): number =>
  4 + ((flags >>> 13) & 4) + ((flags >>> 11) & 4) + ((flags >>> 10) & 4)
