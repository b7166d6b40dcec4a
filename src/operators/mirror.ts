import { type MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { Overflow, PacketSink } from '../packet/sink.js'
import { offer, operator } from './shared/operator.js'

/**
 * Gives each packet to `sink` as well, and hands everything on as it came.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           mirror(sink)
 * sink:     --(1 2 3)--------(4)
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * What the sink's ring has no room for is kept, up to a bound, and then dropped as `overflow` says: by default
 * `drop-newest`, so that a slow monitor never slows the path. With `block` the path waits for the monitor.
 *
 * **Leases.** The sink takes one on each packet that it keeps; unless it blocks, the sink pays for it, not the source.
 */
export function mirror<T extends Burst | Packet = Burst>(
  sink: PacketSink,
  { overflow = 'drop-newest' }: { overflow?: Overflow } = {},
): MonoTypeOperatorFunction<T> {
  return operator<T, T>(
    destination =>
      new MirrorSubscriber(destination as Subscriber<Burst | Packet>, sink, overflow) as Subscriber<unknown>,
  )
}

class MirrorSubscriber extends Subscriber<Burst | Packet> {
  constructor(
    readonly out: Subscriber<Burst | Packet>,
    readonly sink: PacketSink,
    readonly overflow: Overflow,
  ) {
    super(out)
    this.add(sink.use())
  }

  protected override _next(item: Burst | Packet): void {
    if (offer(this.sink, item, this.overflow, this.out)) this.out.next(item)
  }
}
