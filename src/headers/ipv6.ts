// Views of IPv6 and its extension headers (RFC 8200).
import { extensionLength, MAX_EXTENSIONS } from './extensions.js'
import type { Layout } from './layout.js'
import { HeaderView } from './view.js'

/**
 * An IPv6 header, 40 bytes. You can read an address as four 32-bit numbers (`sourceWord(0)` has the first bits),
 * compare it with 16 bytes such as `ipv6Address('2001:db8::1')`, or copy it to 16 bytes.
 */
export class Ipv6Header extends HeaderView {
  readonly #extension: ExtensionHeader

  /** @internal */
  constructor(layout: Layout) {
    super(layout)
    this.#extension = new ExtensionHeader(layout)
  }

  get offset(): number {
    return this.layout.ip6
  }
  get length(): number {
    return 40
  }
  /** Differentiated services and congestion notification (DSCP and ECN), one byte. */
  get trafficClass(): number {
    return (this.layout.packet.uint16(this.layout.ip6) >>> 4) & 0xff
  }
  /** The flow label, 20 bits. */
  get flowLabel(): number {
    return this.layout.packet.uint32(this.layout.ip6) & 0xfffff
  }
  /**
   * The field Payload Length: bytes after the 40-byte header, including extension headers. With segmentation offload it
   * may be 0, or the length of the first segment.
   */
  get payloadLength(): number {
    return this.layout.packet.uint16(this.layout.ip6 + 4)
  }
  /** The type of the header after the 40-byte header (see `IpProtocol`). */
  get nextHeader(): number {
    return this.layout.packet.uint8(this.layout.ip6 + 6)
  }
  /** Number of remaining hops. */
  get hopLimit(): number {
    return this.layout.packet.uint8(this.layout.ip6 + 7)
  }
  /**
   * The protocol after all extension headers. `undefined` in a later fragment, or if an extension header is malformed.
   */
  get protocol(): number | undefined {
    const { protocol } = this.layout.transport()
    return protocol < 0 ? undefined : protocol
  }
  /** Offset of the upper layer's header, after the last complete extension header. */
  get upperLayerOffset(): number {
    return this.layout.transport().at
  }

  /** Returns 32 bits of the source address. Index 0 has the first bits, index 3 has the last. */
  sourceWord(index: number): number {
    return this.layout.packet.uint32(this.layout.ip6 + 8 + 4 * wordIndex(index))
  }
  /** Returns 32 bits of the destination address. Index 0 has the first bits, index 3 has the last. */
  destinationWord(index: number): number {
    return this.layout.packet.uint32(this.layout.ip6 + 24 + 4 * wordIndex(index))
  }
  /** Whether the source address is equal to these 16 bytes. */
  sourceEquals(address: Uint8Array): boolean {
    return this.#equals(address, this.layout.ip6 + 8)
  }
  /** Whether the destination address is equal to these 16 bytes. */
  destinationEquals(address: Uint8Array): boolean {
    return this.#equals(address, this.layout.ip6 + 24)
  }
  /** Copies the source address, 16 bytes, into `target`. */
  copySource(target: Uint8Array, offset = 0): void {
    this.#copy(target, offset, this.layout.ip6 + 8)
  }
  /** Copies the destination address, 16 bytes, into `target`. */
  copyDestination(target: Uint8Array, offset = 0): void {
    this.#copy(target, offset, this.layout.ip6 + 24)
  }

  /**
   * Returns the first extension header of this type, or `undefined`. Every call returns the same object. Searches at
   * most 8 extension headers, and stops at the first truncated one.
   */
  extension(type: number): ExtensionHeader | undefined {
    const { layout } = this
    const { packet, ip6, at: upper } = layout.transport()
    let at = ip6 + 40
    let next = packet.uint8(ip6 + 6)
    for (let count = 0; count < MAX_EXTENSIONS && at < upper; count++) {
      if (next === type) {
        layout.extension = at
        layout.extensionType = type
        return this.#extension
      }
      const length = extensionLength(next, packet.uint8(at + 1))
      next = packet.uint8(at)
      at += length
    }
    return undefined
  }

  #equals(address: Uint8Array, at: number): boolean {
    if (address.length !== 16) return false
    const { packet } = this.layout
    for (let i = 0; i < 16; i += 2)
      if (packet.uint16(at + i) !== ((address[i] << 8) | address[i + 1])) return false
    return true
  }

  #copy(target: Uint8Array, offset: number, at: number): void {
    if (!(offset >= 0 && offset + 16 <= target.length))
      throw new RangeError(`16 bytes at offset ${offset} do not fit into ${target.length} bytes`)
    const { packet } = this.layout
    for (let i = 0; i < 16; i++) target[offset + i] = packet.uint8(at + i)
  }
}

function wordIndex(index: number): number {
  if (!(index >= 0 && index <= 3))
    throw new RangeError(`the index of an address word must be 0 to 3, not ${index}`)
  return index
}

/** The IPv6 extension header that the last call of `extension()` found. */
export class ExtensionHeader extends HeaderView {
  get offset(): number {
    return this.layout.extension
  }
  get length(): number {
    const { packet, extension, extensionType } = this.layout
    return extensionLength(extensionType, packet.uint8(extension + 1))
  }
  /** The type of this header (see `IpProtocol`). */
  get type(): number {
    return this.layout.extensionType
  }
  /** The type of the next header (see `IpProtocol`). */
  get nextHeader(): number {
    return this.layout.packet.uint8(this.layout.extension)
  }
}

/** IPv6's Fragment header, 8 bytes. */
export class FragmentHeader extends HeaderView {
  get offset(): number {
    return this.layout.fragment
  }
  get length(): number {
    return 8
  }
  /** The type of the first header in the fragmented part (see `IpProtocol`). */
  get nextHeader(): number {
    return this.layout.packet.uint8(this.layout.fragment)
  }
  /** The position of this fragment in the packet, in units of 8 bytes, as on the wire. */
  get fragmentOffset(): number {
    return this.layout.packet.uint16(this.layout.fragment + 2) >>> 3
  }
  /** The flag M: this is not the last fragment. */
  get moreFragments(): boolean {
    return (this.layout.packet.uint8(this.layout.fragment + 3) & 1) !== 0
  }
  /** A number that is equal in all fragments of a packet. */
  get identification(): number {
    return this.layout.packet.uint32(this.layout.fragment + 4)
  }
}
