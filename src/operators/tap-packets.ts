import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/**
 * Calls `look` with each packet, and emits everything as it came.
 *
 * <span class="informal">Like rxjs `tap`, but for the packets inside bursts.</span>
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           tapPackets(p => sum += p.length)
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * **Leases.** Takes none; `look` borrows the packet for the call.
 *
 * If `look` throws, that packet is dropped and counted as `pipeline-error`, the packets before it are emitted, and the
 * subscription fails; with `retry()` it goes on with the next packet.
 */
export function tapPackets<T extends Burst | Packet = Burst>(
  look: (packet: Packet) => void,
): MonoTypeOperatorFunction<T> {
  return operator(out => new TapSubscriber(out, look))
}

class TapSubscriber extends OperatorSubscriber {
  constructor(
    out: Subscriber<Burst | Packet>,
    readonly look: (packet: Packet) => void,
  ) {
    super(out)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { out, look } = this
    let at = 0
    try {
      for (; at < input.length && !out.closed; at++) look(packetAt(input, at))
    } catch (error) {
      this.fail(error, input, at)
      return
    }
    if (out.closed) this.stop(input, at)
    else out.next(burst)
  }

  protected onPacket(packet: Packet): void {
    try {
      this.look(packet)
    } catch (error) {
      this.failPacket(error)
      return
    }
    this.out.next(packet)
  }
}
