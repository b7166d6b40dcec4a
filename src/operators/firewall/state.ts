// The state of the operator `firewall`: rules, connections, fragments and counters. Several pipelines can share one, so that
// an answer passes in the other direction.
import { FlowKeyReader } from '../../headers/index.js'
import { NOTHING } from '../../headers/layout.js'
import type { Packet } from '../../packet/packet.js'
import { Connections, type ConnectionTimeouts, INVALID, KNOWN, NEW } from './connections.js'
import { Fragments } from './fragments.js'
import { type CompiledRule, compileRules, type FirewallRule, NO, YES } from './rules.js'
import { Subject } from './subject.js'

/** What a `Firewall` does where no rule decides, and how many connections it knows for how long. */
export interface FirewallOptions {
  /** The verdict on packets that no rule decides on. Default `drop`. */
  policy?: 'accept' | 'drop'
  /** Whether packets of a connection that rules let begin pass, in both directions. Default true. */
  stateful?: boolean
  /** Connections at one time. Default 16,384; each takes some 90 bytes from the start. */
  maxConnections?: number
  /** When connections expire. */
  timeouts?: ConnectionTimeouts
  /** A clock that never goes back, in milliseconds; for tests. */
  now?: () => number
}

/**
 * Why a firewall drops: `firewall-rule`, `firewall-policy`, `firewall-malformed` (headers that are cut off or
 * contradict each other), `firewall-invalid` (a TCP segment without a connection, or not allowed in its state),
 * `firewall-fragment` (a later fragment whose first one was not accepted before) and `firewall-full` (no room for a new connection).
 */
export type FirewallReason =
  | 'firewall-rule'
  | 'firewall-policy'
  | 'firewall-malformed'
  | 'firewall-invalid'
  | 'firewall-fragment'
  | 'firewall-full'

/** The counters of a `Firewall`. */
export interface FirewallStats {
  /** Packets that passed. */
  readonly accepted: number
  /** Accepted packets that belonged to a connection. */
  readonly established: number
  /** Packets that were dropped, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** Packets and bytes that each rule matched. */
  readonly rules: readonly {
    readonly name: string
    readonly action: FirewallRule['action']
    readonly packets: number
    readonly bytes: number
  }[]
  /** Connections known, how many of them are answered, and how many were evicted before they expired. */
  readonly connections: { readonly known: number; readonly established: number; readonly evicted: number }
}

/** Rules with their state, for `firewall`. */
export class Firewall {
  readonly #rules: readonly CompiledRule[]
  readonly #policy: 'accept' | 'drop'
  readonly #now: () => number
  readonly #key = new FlowKeyReader({ firstPieceHasPorts: true })
  readonly #packet = new Subject(this.#key)
  readonly #connections: Connections | null
  readonly #fragments = new Fragments()
  readonly #dropped = new Map<FirewallReason, number>()
  #accepted = 0
  #established = 0

  constructor(
    rules: readonly FirewallRule[],
    {
      policy = 'drop',
      stateful = true,
      maxConnections = 16_384,
      timeouts = {},
      now = () => performance.now(),
    }: FirewallOptions = {},
  ) {
    this.#rules = compileRules(rules)
    this.#policy = policy
    this.#now = now
    this.#connections = stateful ? new Connections(maxConnections, timeouts) : null
  }

  /** Reads the clock: once a burst. @internal */
  tick(): void {
    const now = this.#now()
    this.#connections?.tick(now)
    this.#fragments.tick(now)
  }

  /** Counts the packet, and returns why it is dropped; `undefined`: it passes. @internal */
  judge(packet: Packet, from: string): FirewallReason | undefined {
    const reason = this.#judge(packet, from)
    if (reason === undefined) this.#accepted++
    else this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1)
    return reason
  }

  /** Counted since the firewall was made. */
  get stats(): FirewallStats {
    return {
      accepted: this.#accepted,
      established: this.#established,
      dropped: Object.fromEntries(this.#dropped),
      rules: this.#rules.map(({ name, action, packets, bytes }) => ({ name, action, packets, bytes })),
      connections: this.#connections?.counts ?? { known: 0, established: 0, evicted: 0 },
    }
  }

  #judge(packet: Packet, from: string): FirewallReason | undefined {
    const key = this.#key.of(packet)
    const subject = this.#packet
    if (subject.isMalformed) return 'firewall-malformed'
    if (subject.isLaterFragment) return this.#laterFragment(packet, from)
    const reason = this.#whole(packet, from)
    if (reason === undefined && subject.isFirstFragment) this.#fragments.accepted(key)
    return reason
  }

  #whole(packet: Packet, from: string): FirewallReason | undefined {
    const connections = this.#connections
    const subject = this.#packet
    const tracked = connections !== null && (subject.isIpv4 || subject.isIpv6)
    const flags = subject.tcpFlags
    let standing: number = NEW
    if (tracked) {
      standing = connections.look(this.#key, flags)
      if (standing === KNOWN || (standing === NEW && this.#isAboutConnection(packet))) {
        this.#established++
        return undefined
      }
      // No rule can accept it: such a segment begins no connection.
      if (standing === INVALID || (flags !== NOTHING && !isFirstSegment(flags))) return 'firewall-invalid'
    }
    const refused = this.#byRules(packet, from)
    if (refused !== undefined || !tracked) return refused
    return connections.open(this.#key) ? undefined : 'firewall-full'
  }

  // Is it an ICMP error about a packet of a connection? For example, that the packet was too big for a link.
  #isAboutConnection(packet: Packet): boolean {
    const key = this.#key
    const { icmp, icmp6 } = key.reader.layout
    if (icmp < 0 && icmp6 < 0) return false
    const found = key.quoted() && (this.#connections as Connections).has(key)
    if (!found) key.of(packet)
    return found
  }

  #laterFragment(packet: Packet, from: string): FirewallReason | undefined {
    if (this.#fragments.continues(this.#key)) return undefined
    const refused = this.#byRules(packet, from)
    return refused === 'firewall-policy' ? 'firewall-fragment' : refused
  }

  #byRules(packet: Packet, from: string): FirewallReason | undefined {
    const rules = this.#rules
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]
      const match = rule.match(this.#packet, from)
      // A dropping rule also takes MAYBE.
      if (match === NO || (rule.action !== 'drop' && match !== YES)) continue
      rule.packets++
      rule.bytes += packet.length
      if (rule.action === 'accept') return undefined
      if (rule.action === 'drop') return 'firewall-rule'
    }
    return this.#policy === 'accept' ? undefined : 'firewall-policy'
  }
}

/** SYN without ACK. */
const isFirstSegment = (flags: number): boolean => (flags & 0x12) === 0x02
