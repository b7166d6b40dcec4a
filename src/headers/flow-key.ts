// Reads the key of a packet's flow: addresses, protocol and ports. The key is an array of words that a table can
// compare. The reader also computes a keyed hash of these words, so that a hostile guest can't choose packets whose
// hashes collide. FlowKeyReader is a cursor like HeaderReader and uses a HeaderReader to find the headers. An absent
// header adds nothing to the key. Reading a key allocates nothing.
//
// Every packet has a flow. The key depends on the packet:
//   - IP packet: addresses and protocol, and the ports of TCP, UDP, SCTP, DCCP and UDP-Lite, or the identifier of an
//     ICMP echo.
//   - Fragment of an IP packet: addresses and protocol, but no ports, even in the first fragment. So all fragments of a
//     datagram are in one flow.
//   - Other packet, or packet with a malformed IP header: Ethernet addresses and EtherType.
//   - Packet with neither an IP nor an Ethernet header: all such packets have the same key.
//
// VLANs. Packets with different tags are in different flows. A tag with VLAN 0 is ignored, because it only has a
// priority (IEEE 802.1Q).
import { getRandomValues } from 'node:crypto'
import type { PacketView } from '../packet/view.js'
import { FAMILY_IPV6, FAMILY_SHIFT, FlowKey, KEY_KIND, KEY_PORTS, KEY_VLANS, KEY_WORDS } from './flow.js'
import { isReversed, readEthernet, readIp4, readIp6, reverse, vlansOf } from './flow-words.js'
import { NOTHING } from './layout.js'
import { readQuoted } from './quoted.js'
import { HeaderReader } from './reader.js'
import { sipHash } from './sip-hash.js'

/** Number of words that an IPv4 or Ethernet key uses. The other words are zero. */
const SHORT_KEY = 5

/** Options that say which packets belong to the same flow. */
export interface FlowKeyOptions {
  /** Whether the two directions are different flows. Default false: both directions are one flow. */
  directed?: boolean
  /** Whether packets with different VLAN tags are in different flows. Default true. */
  vlan?: boolean
  /**
   * Whether the key of a first fragment has ports, like the key of an unfragmented packet. Later fragments have no
   * ports. Default false.
   */
  firstPieceHasPorts?: boolean
  /**
   * The secret key of the hash, two 32-bit numbers. Default random. Set it if several readers must compute the same
   * hashes.
   */
  seed?: readonly [number, number]
}

/**
 * Reads the flow key of packets: call `key.of(packet)`, then read `key.words` and `key.hash`. Create one reader and use
 * it for any number of packets: it allocates nothing per packet. `key.reader` is at the same packet.
 */
export class FlowKeyReader {
  /** The key of the current packet: `KEY_WORDS` 32-bit numbers. The next `of()` overwrites them. */
  readonly words = new Int32Array(KEY_WORDS)
  /** The hash of the key, a signed 32-bit number. */
  hash = 0
  /**
   * Whether the packet goes from the key's destination to its source. Without `directed`, both directions have one key.
   */
  reversed = false
  /** Reads the headers of the same packet. */
  readonly reader: HeaderReader
  readonly #directed: boolean
  readonly #vlan: boolean
  readonly #firstPieceHasPorts: boolean
  readonly #key0: number
  readonly #key1: number

  constructor(options: FlowKeyOptions = {}, reader = new HeaderReader()) {
    const { directed = false, vlan = true, firstPieceHasPorts = false, seed } = options
    const [key0, key1] = seed ?? getRandomValues(new Int32Array(2))
    this.reader = reader
    this.#directed = directed
    this.#vlan = vlan
    this.#firstPieceHasPorts = firstPieceHasPorts
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Reads the key of `packet`. Returns this reader. */
  of(packet: PacketView): this {
    const { words } = this
    const layout = this.reader.of(packet).layout.transport()
    // In a later fragment the protocol is NOTHING, because its payload does not begin with a header.
    const whole = this.#firstPieceHasPorts && layout.protocol !== NOTHING
    words[KEY_VLANS] = this.#vlan ? vlansOf(layout) : 0
    words[KEY_PORTS] = 0
    if (layout.ip4 >= 0) readIp4(words, layout, whole)
    else if (layout.ip6 >= 0) readIp6(words, layout, whole)
    else readEthernet(words, layout)
    return this.#finish()
  }

  /**
   * Reads the flow key of the packet that an ICMP error quotes. Call it after `of()` of the ICMP error. Returns false
   * if the packet is not an ICMP error, or does not quote enough bytes.
   */
  quoted(): boolean {
    const { layout } = this.reader
    if (!readQuoted(this.words, layout)) return false
    this.words[KEY_VLANS] = this.#vlan ? vlansOf(layout) : 0
    this.#finish()
    return true
  }

  #finish(): this {
    const { words } = this
    const long = words[KEY_KIND] >>> FAMILY_SHIFT === FAMILY_IPV6
    if (!long) words.fill(0, SHORT_KEY)
    this.reversed = !this.#directed && isReversed(words, long)
    if (this.reversed) reverse(words, long)
    this.hash = sipHash(words, long ? KEY_WORDS : SHORT_KEY, this.#key0, this.#key1)
    return this
  }

  /** Returns the key as an object that gives text, in the direction of this packet. Allocates the object. */
  toKey(): FlowKey {
    return new FlowKey(this.words, 0, this.reversed)
  }
}
