import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { compileRules, type FirewallRule } from './firewall/rules.js'
import { Firewall, type FirewallOptions } from './firewall/state.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** Of one pipeline. */
export interface FirewallOperatorOptions {
  /** Where this pipeline's packets come from, for rules with `from`. Default the empty name. */
  from?: string
}

/**
 * Lets through what its rules accept, and what belongs to a connection that they let begin.
 *
 * ```
 * source:   --(syn80 syn22)----(udp53)--|
 *           firewall([{ action: 'accept', protocol: 'tcp', destinationPort: 80 }])
 * result:   --(syn80)-------------------|
 * ```
 *
 * The first rule that applies to a packet decides; `policy` (default `drop`) where none does. Rules ask for addresses by
 * prefix, ports by range, protocol, VLAN, EtherType and the pipeline (`from`), and count packets and bytes.
 *
 * **State.** What a rule accepted begins a connection, whose packets then pass in both directions without the rules, as do
 * ICMP errors about it: give the same `Firewall` to the pipelines of both directions. A TCP segment passes when it is its
 * turn: the first must be a SYN. Connections end by idle time-outs, which are longer once established, and a flood of SYNs
 * can push out nothing that is established. `stateful: false` leaves all to the rules.
 *
 * **Evasions.** Packets whose headers are cut off, lie, go on behind a second tag or do not end are dropped whatever the
 * rules say. Of a datagram in pieces the first is judged by its ports, later ones follow it; those that come before it, or
 * would overwrite it, are dropped, unless a rule that asks for no ports accepts them. Where a packet may be what a dropping
 * rule asks for, and hides it, it is dropped. What is inside of tunnels is not looked at. ARP and IPv6's neighbour
 * discovery need rules, too.
 *
 * **Leases.** Takes none. What it drops is counted at the queue it came from, by `FirewallReason`, and in
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
  // Wrong rules throw here, and not with the first subscription.
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
