import type { OperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import type { ForwardingTable, SwitchPort } from './route/forwarding-table.js'
import { OperatorSubscriber, operator } from './shared/operator.js'
import { type PartGiver, Parts } from './shared/parts.js'

/** Of one port. */
export interface RouteOptions {
  /** What happens to packets that this port's guest has no room for, wherever they come from. Default `drop-newest`. */
  overflow?: Overflow
}

/** What a frame can be that goes to no port; the reason of its drop. */
type Refusal = 'malformed' | 'link-local' | 'spoofed'

/**
 * A port of a learning switch: packets of the guest behind `sink` go to the ports of the same `table`, by their
 * destination address. Emits nothing.
 *
 * ```
 * source:  --(to b)------(to all)---(to b)--|
 *          route(table, a)
 * b:       --(to b)------(to all)---(to b)
 * c:       --(to b)------(to all)                 b had sent something by then, and is known
 * result:  ---------------------------------|
 * ```
 *
 * An address is learned from what it sends, for each VLAN on its own (a tag's identifier; 0 without one), moves with its
 * station, and is forgotten after `age`. A frame to an address that is not known, or to several, goes to every port but its
 * own; one to an address on its own port goes nowhere. `table.addStatic()` holds an address at its port.
 *
 * The sink is a port from subscription to its end, when its addresses are forgotten. What a guest has no room for is
 * kept, up to a bound, and dropped beyond (`overflow`), so that one that takes nothing stalls no other; with `block` it
 * stalls all that send to it.
 *
 * Dropped, counted at the queue that they came from: `malformed` (no Ethernet header), `link-local` (what IEEE 802.1Q keeps
 * from being forwarded, 01:80:c2:00:00:00 to 0f), `spoofed` (the source is a static address of another port).
 *
 * **Leases.** The sinks take one on each packet that they keep; a flooded packet is in one slot.
 *
 * A sink that throws, or has no room and is `strict`, fails the subscription of the packet's source.
 *
 * @param table Shared by all ports of the switch.
 * @param sink The way into the guest that the source comes from.
 * @return Completes with the source.
 * @example
 * const table = new ForwardingTable()
 * merge(...guests.map(guest => guest.fromGuest().pipe(route(table, guest.toGuest())))).subscribe()
 */
export function route(
  table: ForwardingTable,
  sink: PacketSink,
  { overflow = 'drop-newest' }: RouteOptions = {},
): OperatorFunction<Burst | Packet, never> {
  return operator(out => new RouteSubscriber(out, table, table.join(sink, overflow)))
}

class RouteSubscriber extends OperatorSubscriber<never> implements PartGiver<SwitchPort> {
  #parts: Parts<SwitchPort> | null = null

  constructor(
    out: Subscriber<never>,
    readonly table: ForwardingTable,
    readonly port: SwitchPort,
  ) {
    super(out)
    const done = port.sink.use()
    this.add(() => {
      table.leave(port)
      done()
    })
  }

  give({ sink, overflow }: SwitchPort, item: Burst | Packet): void {
    this.offer(sink, item, overflow)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    this.table.tick()
    const parts = this.#parts ?? new Parts<SwitchPort>()
    this.#parts = null
    for (let i = 0; i < input.length; i++) this.#one(packetAt(input, i), parts, input, i)
    parts.give(this, burst)
    this.#parts = parts
  }

  // Learns where the packet came from, and adds it to the parts of those to whom it goes.
  #one(packet: Packet, parts: Parts<SwitchPort>, input: BurstCore, index: number): void {
    const vlan = this.#vlanOf(packet)
    const refusal = this.#refusal(packet, vlan)
    if (refusal !== undefined) {
      input.slots.dropped(input.ids[index], refusal)
      return
    }
    const to = this.#destination(packet, vlan)
    if (to === this.port) return
    if (to !== undefined) parts.add(to, input, index)
    else for (const port of this.table.ports) if (port !== this.port) parts.add(port, input, index)
  }

  protected onPacket(packet: Packet): void {
    this.table.tick()
    const vlan = this.#vlanOf(packet)
    const refusal = this.#refusal(packet, vlan)
    if (refusal !== undefined) {
      slotsOf(packet).dropped(slotOf(packet), refusal)
      return
    }
    const to = this.#destination(packet, vlan)
    if (to === this.port) return
    if (to !== undefined) this.give(to, packet)
    else
      for (const port of this.table.ports) if (port !== this.port && !this.out.closed) this.give(port, packet)
  }

  #refusal(packet: Packet, vlan: number): Refusal | undefined {
    if (packet.length < 14) return 'malformed'
    if (packet.uint16(0) === 0x0180 && packet.uint16(2) === 0xc200 && packet.uint16(4) < 0x10)
      return 'link-local'
    const high = packet.uint16(6)
    // A group has no port (IEEE 802.1Q §8.7), and nobody has the address of zeros.
    const low = wordAt(packet, 8)
    if ((high & 0x100) !== 0 || (high === 0 && low === 0)) return undefined
    return this.table.learn(high, low, vlan, this.port) ? undefined : 'spoofed'
  }

  #destination(packet: Packet, vlan: number): SwitchPort | undefined {
    const high = packet.uint16(0)
    return (high & 0x100) !== 0 ? undefined : this.table.find(high, wordAt(packet, 2), vlan)
  }

  #vlanOf(packet: Packet): number {
    if (packet.length < 18) return 0
    const type = packet.uint16(12)
    return type === 0x8100 || type === 0x88a8 ? packet.uint16(14) & 0xfff : 0
  }
}

/** 32 bits with their sign: beyond 2^31 a number would be an object where V8 does not inline its getter. */
const wordAt = (packet: Packet, at: number): number => (packet.uint16(at) << 16) | packet.uint16(at + 2)
