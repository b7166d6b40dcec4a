// The key of a packet's flow: addresses, protocol and ports, as words that a table compares, and a keyed hash of them, for
// which a hostile guest can't choose collisions. A cursor like HeaderReader, with whose walk it reads: an absent header has
// no part in the key. Nothing is allocated for a packet.
//
// Every packet has a flow. An IP packet: addresses and protocol, the ports of TCP, UDP, SCTP, DCCP and UDP-Lite, the
//   identifier of an echo. A fragment, also the first, has no ports, so that all fragments of a datagram are in one flow. Any
//   other packet, also one with a malformed IP header: Ethernet addresses and EtherType. All packets without an Ethernet
//   header are one flow.
// VLANs. Packets with different tags are in different flows; a tag with VLAN 0 counts as none (IEEE 802.1Q).
import { getRandomValues } from 'node:crypto'
import type { PacketView } from '../packet/view.js'
import { FAMILY_IPV6, FAMILY_SHIFT, FlowKey, KEY_KIND, KEY_PORTS, KEY_VLANS, KEY_WORDS } from './flow.js'
import { isReversed, readEthernet, readIp4, readIp6, reverse, vlansOf } from './flow-words.js'
import { NOTHING } from './layout.js'
import { readQuoted } from './quoted.js'
import { HeaderReader } from './reader.js'
import { sipHash } from './sip-hash.js'

/** The number of words of an IPv4 or Ethernet key; the other words are zero. */
const SHORT_KEY = 5

/** Which packets are in one flow. */
export interface FlowKeyOptions {
  /** Whether each direction is a flow of its own. Default false: both directions are one flow. */
  directed?: boolean
  /** Whether packets with different VLAN tags are in different flows. Default true. */
  vlan?: boolean
  /** Whether the key of a first fragment has its ports, as that of a whole packet. Later fragments have none. Default false. */
  firstPieceHasPorts?: boolean
  /** The hash's key, two numbers of 32 bits. Default random; give one if hashes must be the same elsewhere. Keep it secret. */
  seed?: readonly [number, number]
}

/**
 * Reads the key of packets' flows: `key.of(packet)`, then `key.words` and `key.hash`. Make it once and use it
 * for any number of packets; it allocates nothing for a packet. `key.reader` is at the same packet.
 */
export class FlowKeyReader {
  /** The key of the current packet: `KEY_WORDS` numbers of 32 bits. The next `of()` overwrites them. */
  readonly words = new Int32Array(KEY_WORDS)
  /** The hash of the key, a signed number of 32 bits. */
  hash = 0
  /** The packet goes from the key's destination to its source: both directions have the same key. */
  reversed = false
  /** The headers of the same packet. */
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
    // A later fragment has no protocol: its payload begins with no header.
    const whole = this.#firstPieceHasPorts && layout.protocol !== NOTHING
    words[KEY_VLANS] = this.#vlan ? vlansOf(layout) : 0
    words[KEY_PORTS] = 0
    if (layout.ip4 >= 0) readIp4(words, layout, whole)
    else if (layout.ip6 >= 0) readIp6(words, layout, whole)
    else readEthernet(words, layout)
    return this.#finish()
  }

  /**
   * After `of()`: reads the key of the flow that the packet, an ICMP error, is about, from the packet that it quotes. False: it
   * is no such error, or does not quote enough.
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

  /** The key as an object with text, in the direction of this packet; an allocation. */
  toKey(): FlowKey {
    return new FlowKey(this.words, 0, this.reversed)
  }
}
