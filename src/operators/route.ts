import type { OperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import type { ForwardingTable, SwitchPort } from './route/forwarding-table.js'
import { OperatorSubscriber, operator } from './shared/operator.js'
import { type PartGiver, Parts } from './shared/parts.js'

/** Options of one port. */
export interface RouteOptions {
  /** What happens to packets for which this port's guest has no room. Default `drop-newest`. */
  overflow?: Overflow
}

/** Why a frame is dropped. */
type Refusal = 'malformed' | 'link-local' | 'spoofed'

/**
 * A port of a learning switch: packets of the guest behind `sink` go to the other ports of `table`, by their destination
 * address. Emits nothing.
 *
 * ```
 * source:  --(to b)------(to all)---(to b)--|
 *          route(table, a)
 * b:       --(to b)------(to all)---(to b)
 * c:       --(to b)------(to all)                 the table has learned b's address before
 * result:  ---------------------------------|
 * ```
 *
 * The table learns the source address of each frame, separately for each VLAN (a tag's identifier; 0 without one). An
 * address moves with its station, and is forgotten after `age`. A frame to an unknown address, or to a group, goes to
 * every port but its own; a frame to an address on its own port goes nowhere. `table.addStatic()` binds an address to
 * its port.
 *
 * If the front end of a guest reports that the guest has migrated here (a `rarp` event), the table learns the guest's
 * address, and a RARP frame with that address goes to every other port. When the guest's device leaves, the table
 * forgets the port's addresses. `table.learn()`, `forget()` and `entries()` do the same by hand.
 *
 * The sink is a port while the result is subscribed; then the table forgets its addresses. Packets for which a guest has
 * no room are queued, up to a bound, and dropped beyond it (`overflow`), so that a guest that takes nothing stalls no
 * other. With `block` it stalls every guest that sends to it.
 *
 * Dropped, and counted at the queue that they came from: `malformed` (no Ethernet header), `link-local` (addresses that
 * IEEE 802.1Q does not forward, 01:80:c2:00:00:00 to 0f), `spoofed` (the source is a static address of another port).
 *
 * **Leases.** The sinks take one on each packet that they queue. A flooded packet is in one slot only.
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

  // Learns the packet's source address, and adds the packet to the parts of the ports that it goes to.
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
    // A group address (IEEE 802.1Q §8.7) and the address of zeros belong to no station.
    const low = wordAt(packet, 8)
    if ((high & 0x100) !== 0 || (high === 0 && low === 0)) return undefined
    return this.table.see(high, low, vlan, this.port) ? undefined : 'spoofed'
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

/** As a signed number of 32 bits: V8 may allocate an object for a number above 2^31. */
const wordAt = (packet: Packet, at: number): number => (packet.uint16(at) << 16) | packet.uint16(at + 2)
