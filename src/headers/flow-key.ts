// The key of a packet's flow: addresses, protocol and ports, as words that a table compares and a hash that a hostile
// guest can't aim at. A cursor like HeaderReader, whose walk it reads by: what is absent there has no part in a key.
// Nothing is allocated for a packet. It knows no table, and keeps nothing.
//
// Every packet has a flow. IP: addresses and protocol, and of TCP, UDP, SCTP, DCCP and UDP-Lite the ports, of an echo its
//   identifier. A fragment, the first one too, has no ports, so that all pieces of a datagram are one flow. What is not
//   IP, or lies about it, goes by its Ethernet addresses and EtherType; what has not even those is one flow of its own.
// VLANs. Two flows are two if their tags differ; a tag with VLAN 0 is none, as IEEE 802.1Q says.
import { getRandomValues } from 'node:crypto'
import type { PacketView } from '../packet/view.js'
import { FAMILY_IPV6, FAMILY_SHIFT, FlowKey, KEY_KIND, KEY_PORTS, KEY_VLANS, KEY_WORDS } from './flow.js'
import { isReversed, readEthernet, readIp4, readIp6, reverse, vlansOf } from './flow-words.js'
import { NOTHING } from './layout.js'
import { readQuoted } from './quoted.js'
import { HeaderReader } from './reader.js'
import { sipHash } from './sip-hash.js'

/** The words that IPv4 and Ethernet have; the rest is zero. */
const SHORT_KEY = 5

/** What tells flows apart. */
export interface FlowKeyOptions {
  /** One flow for each direction. Without, both directions are one. */
  directed?: boolean
  /** Do VLANs tell flows apart? Default true. */
  vlan?: boolean
  /** Has the first piece of a datagram its ports, and so the key of its flow, which later pieces can't have? */
  firstPieceHasPorts?: boolean
  /** Two numbers of 32 bits that hashes depend on; random unless they must be the same elsewhere. Keep them secret. */
  seed?: readonly [number, number]
}

/**
 * Reads the key of packets' flows: `key.of(packet)`, then `key.words` and `key.hash`. Made once, used for any number of
 * packets; it allocates nothing for one. `key.reader` looks at the same packet.
 */
export class FlowKeyReader {
  /** The key of the packet that was looked at last: `KEY_WORDS` numbers of 32 bits. Replaced by the next `of()`. */
  readonly words = new Int32Array(KEY_WORDS)
  /** A signed number of 32 bits. */
  hash = 0
  /** Both directions have the same key; this packet goes from the key's destination to its source. */
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

  /** Looks at `packet`. Returns itself. */
  of(packet: PacketView): this {
    const { words } = this
    const layout = this.reader.of(packet).layout.transport()
    // Of a later piece there is no protocol: what follows is the middle of something.
    const whole = this.#firstPieceHasPorts && layout.protocol !== NOTHING
    words[KEY_VLANS] = this.#vlan ? vlansOf(layout) : 0
    words[KEY_PORTS] = 0
    if (layout.ip4 >= 0) readIp4(words, layout, whole)
    else if (layout.ip6 >= 0) readIp6(words, layout, whole)
    else readEthernet(words, layout)
    return this.#finish()
  }

  /**
   * Looks at the packet that the same packet, an ICMP error, quotes: the key of the flow that it is about. False: it is no
   * such error, or does not quote enough. `of()` comes before.
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

  /** The key to be read by people, as this packet goes; an allocation. */
  toKey(): FlowKey {
    return new FlowKey(this.words, 0, this.reversed)
  }
}
