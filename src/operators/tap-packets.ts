import { type MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { Burst, coreOf, packetAt, packetFaults } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { failWith, firstOf, Output, operator, stopAt } from './shared/operator.js'

/**
 * Calls `look` with each packet and hands everything on as it came.
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
 * If `look` throws, that packet is dropped and counted as `pipeline-error`, those before it are emitted, then the
 * subscription fails; with `retry()` it goes on with the packet behind.
 */
export function tapPackets<T extends Burst | Packet = Burst>(
  look: (packet: Packet) => void,
): MonoTypeOperatorFunction<T> {
  return operator<T, T>(
    destination => new TapSubscriber(destination as Subscriber<Burst | Packet>, look) as Subscriber<unknown>,
  )
}

class TapSubscriber extends Subscriber<Burst | Packet> {
  readonly #output = new Output()

  constructor(
    readonly out: Subscriber<Burst | Packet>,
    readonly look: (packet: Packet) => void,
  ) {
    super(out)
  }

  protected override _next(item: Burst | Packet): void {
    if (item instanceof Burst) this.#burst(item)
    else this.#packet(item)
  }

  #burst(burst: Burst): void {
    const input = coreOf(burst)
    const { out, look } = this
    let at = 0
    try {
      for (; at < input.length && !out.closed; at++) look(packetAt(input, at))
    } catch (error) {
      failWith(error, input, at, firstOf(input, at, this.#output), this.#output, out)
      return
    }
    // An unsubscription from inside `look`: nothing of the burst was handed on yet.
    if (out.closed) stopAt(input, at - 1, firstOf(input, at, this.#output), this.#output)
    else out.next(burst)
  }

  #packet(packet: Packet): void {
    try {
      this.look(packet)
    } catch (error) {
      packetFaults.count++
      this.out.error(error)
      return
    }
    this.out.next(packet)
  }
}
