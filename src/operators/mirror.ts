import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/**
 * Puts each packet into `sink`, and emits everything as it came.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           mirror(sink)
 * sink:     --(1 2 3)--------(4)
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * The sink queues packets for which its ring has no room, up to a bound; beyond it packets are dropped as `overflow` says:
 * by default `drop-newest`, so that a slow monitor never slows the path. With `block` the path waits for the monitor.
 *
 * **Leases.** The sink takes one on each packet that it queues. With `block` it is charged to the source, otherwise to
 * the sink.
 */
export function mirror<T extends Burst | Packet = Burst>(
  sink: PacketSink,
  { overflow = 'drop-newest' }: { overflow?: Overflow } = {},
): MonoTypeOperatorFunction<T> {
  return operator(out => new MirrorSubscriber(out, sink, overflow))
}

class MirrorSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly sink: PacketSink,
    readonly overflow: Overflow,
  ) {
    super(out)
    this.add(sink.use())
  }

  protected onBurst(burst: Burst): void {
    if (this.offer(this.sink, burst, this.overflow)) this.out.next(burst)
  }

  protected onPacket(packet: Packet): void {
    if (this.offer(this.sink, packet, this.overflow)) this.out.next(packet)
  }
}
