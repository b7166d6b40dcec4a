// The firewall that `firewall` asks about each packet: rules, connections and what was counted. One may stand in several
// pipelines, so that what a guest asks for in one comes back by another.
import { FlowKeyReader } from '../../headers/index.js'
import { NOTHING } from '../../headers/layout.js'
import type { Packet } from '../../packet/packet.js'
import { Connections, type ConnectionTimeouts, INVALID, KNOWN, NEW } from './connections.js'
import { Fragments } from './fragments.js'
import { type CompiledRule, compileRules, type FirewallRule, NO, YES } from './rules.js'
import { Subject } from './subject.js'

/** What a `Firewall` does where no rule decides, and how much it remembers. */
export interface FirewallOptions {
  /** What becomes of packets that no rule decides on. Default `drop`. */
  policy?: 'accept' | 'drop'
  /** Do packets of a connection that rules let begin pass, in both directions? Default true. */
  stateful?: boolean
  /** Connections at one time. Default 16,384; each takes some 90 bytes from the start. */
  maxConnections?: number
  /** How long connections are remembered. */
  timeouts?: ConnectionTimeouts
  /** Milliseconds that only rise; for tests. */
  now?: () => number
}

/**
 * Why a firewall drops: `firewall-rule`, `firewall-policy`, `firewall-malformed` (headers that are cut off or lie),
 * `firewall-invalid` (a TCP segment that is of no connection, or not its turn), `firewall-fragment` (a piece of a datagram
 * whose first piece was not accepted before) and `firewall-full` (no room for a new connection).
 */
export type FirewallReason =
  | 'firewall-rule'
  | 'firewall-policy'
  | 'firewall-malformed'
  | 'firewall-invalid'
  | 'firewall-fragment'
  | 'firewall-full'

/** What a `Firewall` has counted. */
export interface FirewallStats {
  /** Packets that passed. */
  readonly accepted: number
  /** Those of them that belonged to a connection. */
  readonly established: number
  /** Packets that did not, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** How often each rule applied. */
  readonly rules: readonly {
    readonly name: string
    readonly action: FirewallRule['action']
    readonly packets: number
    readonly bytes: number
  }[]
  /** Connections known, how many of them were answered, and how many had to go before their time. */
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

  /** Looks at the clock: once a burst. @internal */
  tick(): void {
    const now = this.#now()
    this.#connections?.tick(now)
    this.#fragments.tick(now)
  }

  /** Why the packet is dropped, or `undefined`: it passes. Counts it. @internal */
  judge(packet: Packet, from: string): FirewallReason | undefined {
    const reason = this.#judge(packet, from)
    if (reason === undefined) this.#accepted++
    else this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1)
    return reason
  }

  /** What was counted since it was made. */
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
    if (subject.isLaterPiece) return this.#laterPiece(packet, from)
    const reason = this.#whole(packet, from)
    if (reason === undefined && subject.isFirstPiece) this.#fragments.accepted(key)
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
      // Not even a rule that accepts it makes a connection of it.
      if (standing === INVALID || (flags !== NOTHING && !isFirstSegment(flags))) return 'firewall-invalid'
    }
    const refused = this.#byRules(packet, from)
    if (refused !== undefined || !tracked) return refused
    return connections.open(this.#key) ? undefined : 'firewall-full'
  }

  // An ICMP error about a packet of a connection: such as that it was too big for the way.
  #isAboutConnection(packet: Packet): boolean {
    const key = this.#key
    const { icmp, icmp6 } = key.reader.layout
    if (icmp < 0 && icmp6 < 0) return false
    const found = key.quoted() && (this.#connections as Connections).has(key)
    if (!found) key.of(packet)
    return found
  }

  #laterPiece(packet: Packet, from: string): FirewallReason | undefined {
    if (this.#fragments.continues(this.#key)) return undefined
    const refused = this.#byRules(packet, from)
    return refused === 'firewall-policy' ? 'firewall-fragment' : refused
  }

  #byRules(packet: Packet, from: string): FirewallReason | undefined {
    const rules = this.#rules
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]
      const match = rule.match(this.#packet, from)
      // Who drops need not be sure, who accepts must be.
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
