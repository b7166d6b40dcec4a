// Spreads packets over sinks: the base of roundRobin and hashTo, whose `pick` chooses the sink of each packet. Each sink has
// its own overflow policy. Completes as enqueue does.
import type { OperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import type { Overflow, PacketSink } from '../../packet/sink.js'
import { OperatorSubscriber, operator } from './operator.js'
import { NO_PART, type PartGiver, Parts, type PartTarget } from './parts.js'

/** A sink, or a sink with its own overflow policy, and with a name by which `hashTo` knows it. */
export type SpreadSink = PacketSink | { sink: PacketSink; overflow?: Overflow; name?: string }

/** Options of `roundRobin` and `hashTo`. */
export interface SpreadOptions {
  /** What happens to packets for which a sink has no room, unless the sink has a policy of its own. Default `block`. */
  overflow?: Overflow
}

/** Returns the index of the sink that a packet goes to. */
export type Pick = (packet: Packet, outlets: readonly Outlet[]) => number

export interface Outlet extends PartTarget {
  readonly sink: PacketSink
  readonly overflow: Overflow
}

/** Would the sink put a packet into its ring now, or queue it? */
export const isAvailable = ({ sink }: Outlet): boolean => sink.available !== false

/** An operator; each subscription calls `pick` once, for a function that chooses the sink of each packet. */
export function spread(
  sinks: readonly SpreadSink[],
  overflow: Overflow,
  pick: () => Pick,
): OperatorFunction<Burst | Packet, never> {
  if (sinks.length === 0) throw new RangeError('there are no sinks to spread packets over')
  return operator(out => {
    const outlets = sinks.map(one => ({
      ...('accept' in one ? { sink: one, overflow } : { sink: one.sink, overflow: one.overflow ?? overflow }),
      part: NO_PART,
    }))
    return new SpreadSubscriber(out, outlets, pick())
  })
}

class SpreadSubscriber extends OperatorSubscriber<never> implements PartGiver<Outlet> {
  #parts: Parts<Outlet> | null = null

  constructor(
    out: Subscriber<never>,
    readonly outlets: readonly Outlet[],
    readonly pick: Pick,
  ) {
    super(out)
    // As in enqueue: the sinks are in use until all packets are in their rings.
    for (const { sink } of outlets) out.add(sink.use())
  }

  give({ sink, overflow }: Outlet, item: Burst | Packet): void {
    this.offer(sink, item, overflow)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const parts = this.#parts ?? new Parts<Outlet>()
    this.#parts = null
    const { outlets, pick } = this
    for (let i = 0; i < input.length; i++) parts.add(outlets[pick(packetAt(input, i), outlets)], input, i)
    parts.give(this, burst)
    this.#parts = parts
  }

  protected onPacket(packet: Packet): void {
    this.give(this.outlets[this.pick(packet, this.outlets)], packet)
  }

  protected override onComplete(): void {
    const { out, outlets } = this
    let left = outlets.length
    for (const { sink } of outlets)
      out.add(
        sink.whenDrained(() => {
          if (--left === 0) out.complete()
        }),
      )
  }
}
