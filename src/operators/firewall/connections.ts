// The connections that a firewall has let begin; their packets pass without the rules. A TCP connection is established by
// its three segments (RFC 9293 §3.5), another one by a packet in each direction.
//
// A full table makes room in this order: expired connections, closing ones, unanswered ones. It never evicts an established
//   connection for a new one. So a flood of SYNs evicts only SYNs; a table full of established connections takes no new one.
// Forged resets. A reset marks its connection as closing only if its sequence number is the one that the other end has
//   acknowledged up to, or in the window after it (RFC 5961 §3). The reset itself passes in any case: its receiver judges it.
import { type FlowKeyReader, KEY_WORDS, TcpFlag } from '../../headers/index.js'
import { NOTHING } from '../../headers/layout.js'
import { LruTable, NONE } from '../shared/lru-table.js'

/** What a packet is to its connection. */
export const NEW = 0
export const KNOWN = 1
export const INVALID = 2
export type Standing = typeof NEW | typeof KNOWN | typeof INVALID

/** After how many milliseconds without a packet a firewall forgets a connection. */
export interface ConnectionTimeouts {
  /** Milliseconds without an answer to the first packet. Default 30,000. */
  unanswered?: number
  /** TCP, after both ends have sent FIN, or one a reset. Default 240,000 (RFC 5382 §5). */
  closing?: number
  /** UDP, ICMP and all protocols but TCP, after an answer. Default 300,000 (RFC 4787 §4.3). */
  answered?: number
  /** TCP, once established. Default 7,440,000, two hours and four minutes (RFC 5382 §5). */
  established?: number
}

// The lists of the table, in the order in which it makes room.
const CLOSING = 0
const UNANSWERED = 1
const ANSWERED = 2
const ESTABLISHED = 3

// Flags of an entry.
/** Its first packet was `reversed`. */
const FROM_REVERSED = 1
const SYN_ACK = 2
const FIN_FIRST = 4
const FIN_OTHER = 8

/** The largest window without scaling (RFC 9293). */
const WINDOW = 0xffff

export class Connections {
  readonly #table: LruTable
  readonly #timeouts: readonly number[]
  readonly #flags: Uint8Array
  /** Two for each entry: the last acknowledgement of the end that began, and that of the other. */
  readonly #acknowledged: Int32Array
  #evicted = 0

  constructor(capacity: number, timeouts: ConnectionTimeouts) {
    const { closing = 240_000, unanswered = 30_000, answered = 300_000, established = 7_440_000 } = timeouts
    this.#table = new LruTable(capacity, KEY_WORDS, 4)
    this.#timeouts = [closing, unanswered, answered, established]
    this.#flags = new Uint8Array(capacity)
    this.#acknowledged = new Int32Array(2 * capacity)
  }

  tick(now: number): void {
    this.#table.tick(now)
  }

  /** Connections known, how many of them are answered, and how many were evicted before they expired. */
  get counts(): { known: number; established: number; evicted: number } {
    const established = this.#table.count(ANSWERED) + this.#table.count(ESTABLISHED)
    return { known: this.#table.size, established, evicted: this.#evicted }
  }

  /** Is there a connection of this key? */
  has(key: FlowKeyReader): boolean {
    return this.#find(key) !== NONE
  }

  /** What a packet is to its connection, whose state it updates. `flags`: TCP's, or NOTHING. */
  look(key: FlowKeyReader, flags: number): Standing {
    const entry = this.#find(key)
    if (entry === NONE) return NEW
    const first = key.reversed === ((this.#flags[entry] & FROM_REVERSED) !== 0)
    if (flags !== NOTHING) return this.#segment(entry, key, flags, first)
    const answers = this.#table.listOf(entry) === UNANSWERED && !first
    this.#table.touch(entry, answers ? ANSWERED : undefined)
    return KNOWN
  }

  /** Begins a connection, whose first packet a rule accepted. False: the table is full of established connections. */
  open(key: FlowKeyReader): boolean {
    if (this.#table.size === this.#table.capacity && !this.#makeRoom()) return false
    const entry = this.#table.add(key.words, key.hash, UNANSWERED)
    this.#flags[entry] = key.reversed ? FROM_REVERSED : 0
    this.#acknowledged[2 * entry] = this.#acknowledged[2 * entry + 1] = 0
    return true
  }

  #find(key: FlowKeyReader): number {
    const table = this.#table
    const entry = table.find(key.words, key.hash)
    if (entry === NONE || table.now - table.seen[entry] < this.#timeouts[table.listOf(entry)]) return entry
    table.remove(entry)
    return NONE
  }

  #segment(entry: number, key: FlowKeyReader, flags: number, first: boolean): Standing {
    const list = this.#table.listOf(entry)
    if ((flags & (TcpFlag.SYN | TcpFlag.ACK)) === TcpFlag.SYN) return this.#syn(entry, list, first)
    if (list === UNANSWERED && !this.#opens(entry, flags, first)) return INVALID
    if (flags & TcpFlag.RST) return this.#reset(entry, key, first)
    if (flags & TcpFlag.ACK) this.#acknowledged[2 * entry + (first ? 0 : 1)] = acknowledgement(key)
    if (flags & TcpFlag.FIN) this.#flags[entry] |= first ? FIN_FIRST : FIN_OTHER
    const ended = (this.#flags[entry] & (FIN_FIRST | FIN_OTHER)) === (FIN_FIRST | FIN_OTHER)
    const established = list === UNANSWERED && first
    this.#table.touch(entry, ended ? CLOSING : established ? ESTABLISHED : list)
    return KNOWN
  }

  // A SYN: sent again, or that of the next connection between the same ends, which the rules judge.
  #syn(entry: number, list: number, first: boolean): Standing {
    if (list === CLOSING) {
      this.#table.remove(entry)
      return NEW
    }
    if (!first) return INVALID
    this.#table.touch(entry)
    return KNOWN
  }

  // May this segment follow the first one? It is the answer, or then its acknowledgement, or a reset.
  #opens(entry: number, flags: number, first: boolean): boolean {
    const answered = (this.#flags[entry] & SYN_ACK) !== 0
    if (flags & TcpFlag.RST) return true
    if (first) return answered && (flags & TcpFlag.SYN) === 0
    if ((flags & TcpFlag.SYN) === 0) return false
    this.#flags[entry] |= SYN_ACK
    return true
  }

  #reset(entry: number, key: FlowKeyReader, first: boolean): Standing {
    const expected = this.#acknowledged[2 * entry + (first ? 1 : 0)]
    const unanswered = this.#table.listOf(entry) === UNANSWERED
    const believed = unanswered || (sequence(key) - expected) >>> 0 <= WINDOW
    if (believed) this.#table.touch(entry, CLOSING)
    return KNOWN
  }

  #makeRoom(): boolean {
    const table = this.#table
    for (let list = CLOSING; list <= ESTABLISHED; list++) {
      const entry = table.expired(this.#timeouts[list], list)
      if (entry === NONE) continue
      table.remove(entry)
      return true
    }
    const closing = table.oldest(CLOSING)
    const entry = closing === NONE ? table.oldest(UNANSWERED) : closing
    if (entry === NONE) return false
    table.remove(entry)
    this.#evicted++
    return true
  }
}

// As signed numbers of 32 bits: TCP's numbers wrap around.
function sequence({ reader }: FlowKeyReader): number {
  const { view, start, tcp } = reader.layout
  return view.getInt32(start + tcp + 4)
}
function acknowledgement({ reader }: FlowKeyReader): number {
  const { view, start, tcp } = reader.layout
  return view.getInt32(start + tcp + 8)
}
