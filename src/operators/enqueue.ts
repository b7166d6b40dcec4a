import { type OperatorFunction, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import { offer, operator } from './shared/operator.js'

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
  return operator<Burst | Packet, never>(destination => new EnqueueSubscriber(destination, sink, overflow))
}

class EnqueueSubscriber extends Subscriber<Burst | Packet> {
  constructor(
    readonly out: Subscriber<never>,
    readonly sink: PacketSink,
    readonly overflow: Overflow,
  ) {
    super(out)
    // Of `out`, since it outlives the source.
    out.add(sink.use())
  }

  protected override _next(item: Burst | Packet): void {
    offer(this.sink, item, this.overflow, this.out)
  }

  protected override _complete(): void {
    // Not super: the result completes once the sink took all. The source is let go now: a `take` before us has done so.
    const { out } = this
    out.add(this.sink.whenDrained(() => out.complete()))
    this.unsubscribe()
  }
}
