import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { compileRules, type FirewallRule } from './firewall/rules.js'
import { Firewall, type FirewallOptions } from './firewall/state.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** Options of one pipeline. */
export interface FirewallOperatorOptions {
  /** Where this pipeline's packets come from, for rules with `from`. Default the empty name. */
  from?: string
}

/**
 * Emits the packets that its rules accept, and those of connections that the rules have let begin.
 *
 * ```
 * source:   --(syn80 syn22)----(udp53)--|
 *           firewall([{ action: 'accept', protocol: 'tcp', destinationPort: 80 }])
 * result:   --(syn80)-------------------|
 * ```
 *
 * The first rule that matches a packet decides; where none does, `policy` (default `drop`). Rules match addresses by
 * prefix, ports by range, protocol, VLAN, EtherType and the pipeline (`from`), and count packets and bytes.
 *
 * **State.** A packet that a rule accepted begins a connection. The connection's packets then pass in both directions
 * without the rules, as do ICMP errors about it: give the same `Firewall` to the pipelines of both directions. A TCP segment
 * passes when the state of its connection allows it: the first must be a SYN. Connections end by idle time-outs, which are
 * longer once established. A flood of SYNs evicts no established connection. With `stateful: false` the rules judge
 * every packet.
 *
 * **Evasions.** Whatever the rules say, a packet is dropped if its headers are cut off, contradict each other, have more
 * than two tags, or do not end. The first fragment of a datagram is judged by its ports, and later fragments follow its
 * verdict. A later fragment that comes before the first, or would overwrite it, is dropped unless a rule without ports
 * accepts it. A packet that hides a field is dropped if a dropping rule might match that field. Headers inside tunnels are
 * not examined. ARP and IPv6 neighbour discovery need rules of their own.
 *
 * **Leases.** Takes none. Packets that it drops are counted at the queue that they came from, by `FirewallReason`, and in
 * `firewall.stats`.
 *
 * @param rules Rules for this pipeline alone, with a state for each subscription, or a `Firewall` that several share.
 * @example
 * const wall = new Firewall([
 *   { action: 'accept', etherType: EtherType.ARP },
 *   { action: 'accept', from: 'inside' },
 *   { action: 'accept', protocol: 'tcp', destination: '10.0.0.80', destinationPort: [80, 443] },
 * ])
 * merge(
 *   a.fromGuest().pipe(firewall(wall, { from: 'inside' }), enqueue(b.toGuest())),
 *   b.fromGuest().pipe(firewall(wall), enqueue(a.toGuest())),
 * ).subscribe()
 */
export function firewall<T extends Burst | Packet = Burst>(
  rules: readonly FirewallRule[] | Firewall,
  { from = '', ...options }: FirewallOperatorOptions & FirewallOptions = {},
): MonoTypeOperatorFunction<T> {
  const shared = rules instanceof Firewall ? rules : undefined
  // Wrong rules throw here, not at the first subscription.
  if (!(rules instanceof Firewall)) compileRules(rules)
  return operator(
    out =>
      new FirewallSubscriber(out, shared ?? new Firewall(rules as readonly FirewallRule[], options), from),
  )
}

class FirewallSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly wall: Firewall,
    readonly from: string,
  ) {
    super(out)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { wall, from } = this
    const core = this.take(input)
    const { ids, length, slots } = input
    wall.tick()
    for (let i = 0; i < length; i++) {
      const reason = wall.judge(packetAt(input, i), from)
      if (reason === undefined) core.ids[core.length++] = ids[i]
      else slots.dropped(ids[i], reason)
    }
    this.pass(core, burst, input)
  }

  protected onPacket(packet: Packet): void {
    this.wall.tick()
    const reason = this.wall.judge(packet, this.from)
    if (reason === undefined) this.out.next(packet)
    else slotsOf(packet).dropped(slotOf(packet), reason)
  }
}
