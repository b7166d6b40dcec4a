// The fragmented datagrams that a firewall has let begin. The first fragment has the ports and is judged by them; later
// fragments follow its verdict, unless they come before it, or would overwrite it (RFC 5722, RFC 3128). A datagram is known by
// addresses, protocol and identification (RFC 791 §3.2, RFC 8200 §4.5).
import { getRandomValues } from 'node:crypto'
import { FAMILY_IPV6, FAMILY_SHIFT, KEY_KIND, KEY_PORTS } from '../../headers/flow.js'
import { type FlowKeyReader, KEY_WORDS } from '../../headers/index.js'
import type { Layout } from '../../headers/layout.js'
import { sipHash } from '../../headers/sip-hash.js'
import { LruTable, NONE } from '../shared/lru-table.js'

/** Datagrams at one time. A flood of first fragments evicts other datagrams, whose later fragments are then dropped. */
const MOST_DATAGRAMS = 1024
/** Milliseconds after which a receiver gives up an incomplete datagram (RFC 8200 §4.5). */
const AGE_MS = 60_000
/** In KEY_KIND: from the key's destination to its source. */
const REVERSED = 1 << 23

export class Fragments {
  readonly #table = new LruTable(MOST_DATAGRAMS, KEY_WORDS)
  /** By entry: where the first fragment ends in the datagram. */
  readonly #ends = new Int32Array(MOST_DATAGRAMS)
  readonly #words = new Int32Array(KEY_WORDS)
  readonly #seed = getRandomValues(new Int32Array(2))
  #hash = 0

  tick(now: number): void {
    this.#table.tick(now)
  }

  /** Notes that the first fragment was accepted. */
  accepted(key: FlowKeyReader): void {
    const { layout } = key.reader
    const table = this.#table
    const known = this.#find(key)
    if (known !== NONE) table.touch(known)
    else if (table.size === MOST_DATAGRAMS) table.remove(table.oldest())
    const entry = known !== NONE ? known : table.add(this.#words, this.#hash)
    // Where two claim to be the first, the longer counts: later fragments must begin after both.
    const end = endOf(layout)
    this.#ends[entry] = known !== NONE ? Math.max(end, this.#ends[entry]) : end
  }

  /** Does this later fragment belong to an accepted first one, and begin after it? */
  continues(key: FlowKeyReader): boolean {
    const entry = this.#find(key)
    if (entry === NONE || this.#table.now - this.#table.seen[entry] >= AGE_MS) return false
    return offsetOf(key.reader.layout) >= this.#ends[entry]
  }

  #find(key: FlowKeyReader): number {
    const words = this.#words
    const { layout } = key.reader
    words.set(key.words)
    words[KEY_KIND] = layout.ip6 >= 0 ? FAMILY_IPV6 << FAMILY_SHIFT : key.words[KEY_KIND] & 0xff
    if (key.reversed) words[KEY_KIND] |= REVERSED
    words[KEY_PORTS] = identificationOf(layout)
    this.#hash = sipHash(words, KEY_WORDS, this.#seed[0], this.#seed[1])
    return this.#table.find(words, this.#hash)
  }
}

const identificationOf = ({ view, start, ip4, fragment }: Layout): number =>
  ip4 >= 0 ? view.getUint16(start + ip4 + 4) : view.getInt32(start + fragment + 4)

/** Bytes of the datagram before this fragment. */
const offsetOf = ({ view, start, ip4, fragment }: Layout): number =>
  ip4 >= 0 ? (view.getUint16(start + ip4 + 6) & 0x1fff) << 3 : view.getUint16(start + fragment + 2) & 0xfff8

/** Bytes of the datagram up to the end of its first fragment. */
function endOf({ view, start, ip4, ip6, fragment }: Layout): number {
  if (ip4 >= 0) return view.getUint16(start + ip4 + 2) - ((view.getUint8(start + ip4) & 0xf) << 2)
  return ip6 + 40 + view.getUint16(start + ip6 + 4) - fragment - 8
}
