import type { OperatorFunction, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/**
 * Puts each packet into `sink` and emits nothing. The end of most pipelines.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           enqueue(sink)
 * sink:     --(1 2 3)--------(4)
 * result:   ------------------------|      once all are in the ring
 * ```
 *
 * While a ring is full, its sink queues the packets that did not fit, in order, and so stalls the source
 * (`overflow: 'block'`). A sink whose ring does not run drops, as `not-ready`, `no-device` or `gone`. Packets that the sink
 * accepted stay in it after an unsubscription.
 *
 * **Leases.** The sink takes one on each packet that it queues, until the guest has room.
 *
 * @return Completes when the source has completed and all packets that the sink accepted are in the ring.
 */
export function enqueue(
  sink: PacketSink,
  { overflow = 'block' }: { overflow?: Overflow } = {},
): OperatorFunction<Burst | Packet, never> {
  return operator(out => new EnqueueSubscriber(out, sink, overflow))
}

class EnqueueSubscriber extends OperatorSubscriber<never> {
  constructor(
    out: Subscriber<never>,
    readonly sink: PacketSink,
    readonly overflow: Overflow,
  ) {
    super(out)
    // Added to `out`, not to this: the sink is in use until all packets are in the ring, after the source has completed.
    out.add(sink.use())
  }

  protected onBurst(burst: Burst): void {
    this.offer(this.sink, burst, this.overflow)
  }

  protected onPacket(packet: Packet): void {
    this.offer(this.sink, packet, this.overflow)
  }

  protected override onComplete(): void {
    const { out } = this
    out.add(this.sink.whenDrained(() => out.complete()))
  }
}
