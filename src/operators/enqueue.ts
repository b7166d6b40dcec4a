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
 * result:   ------------------------|      once the sink took all
 * ```
 *
 * A ring that is full for the moment keeps what did not fit, in order, and so stalls the source (`overflow: 'block'`);
 * a ring that does not run drops, as `not-ready`, `no-device` or `gone`. What the sink accepted survives an
 * unsubscription.
 *
 * **Leases.** The sink takes one on each packet that it keeps, until the guest has room.
 *
 * @return Completes when the source has completed and the sink took all that it accepted.
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
    // Ends with `out`, not with this: the sink is in use until it took all, which is later than the source's completion.
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
