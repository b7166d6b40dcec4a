// Spreads packets over sinks: what roundRobin and hashTo have in common. Each sink has its own overflow policy, and one
// without a running ring is passed over. Which sink a packet goes to is up to `pick`. Ends as enqueue does.
import type { OperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import type { Overflow, PacketSink } from '../../packet/sink.js'
import { OperatorSubscriber, operator } from './operator.js'
import { NO_PART, type PartGiver, Parts, type PartTarget } from './parts.js'

/** A sink, or one with an overflow policy of its own. */
export type SpreadSink = PacketSink | { sink: PacketSink; overflow?: Overflow }

/** For `roundRobin` and `hashTo`. */
export interface SpreadOptions {
  /** What happens to packets that a sink has no room for, unless it has a policy of its own. Default `block`. */
  overflow?: Overflow
}

/** Which of the sinks a packet goes to, its number. */
export type Pick = (packet: Packet, outlets: readonly Outlet[]) => number

export interface Outlet extends PartTarget {
  readonly sink: PacketSink
  readonly overflow: Overflow
}

/** Would it take a packet now, or at least keep it for later? */
export const isAvailable = ({ sink }: Outlet): boolean => sink.available !== false

/** An operator whose `pick`, made for each subscription, says where each packet goes. */
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
    // As in enqueue: the sinks are in use until they took all.
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
