import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, packetAt } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { type PacketPredicate, Verdicts } from '../packet/predicate.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/**
 * Emits the packets for which `predicate` returns true.
 *
 * <span class="informal">Like rxjs `filter`, but for the packets inside bursts.</span>
 *
 * ```
 * source:   --(1 2 3 4)-----(5 7)-----(6)--|
 *           filterPackets(p => p is even)
 * result:   --(2 4)-------------------(6)--|
 * ```
 *
 * A burst without such a packet is not emitted. The source's burst is not altered: another branch of a `merge` sees all
 * packets.
 *
 * **Leases.** Takes none. The other packets stay borrowed with the source's burst, and are released with it.
 *
 * If the predicate throws, that packet is dropped and counted as `pipeline-error`, the packets before it are emitted, and the
 * subscription fails; with `retry()` it goes on with the next packet.
 *
 * @param predicate Called with each packet, which it borrows for the call; or a filter expression, `bpf('udp port 53')` of
 * `rx-vhost/bpf`, which judges a burst in one call.
 * @example
 * guest.fromGuest().pipe(filterPackets(p => p.uint16(12) !== 0x86dd), enqueue(other.toGuest()))   // no IPv6
 */
export function filterPackets<T extends Burst | Packet = Burst>(
  predicate: PacketPredicate,
): MonoTypeOperatorFunction<T> {
  return operator(out => new FilterSubscriber(out, predicate))
}

class FilterSubscriber extends OperatorSubscriber {
  readonly #verdicts: Verdicts

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly predicate: PacketPredicate,
  ) {
    super(out)
    this.#verdicts = new Verdicts(predicate)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const core = this.take(input)
    const { out, predicate } = this
    const { ids, length } = input
    const { packets } = input.slots
    const to = core.ids
    const verdicts = this.#verdicts.of(input)
    let at = 0
    let passed = 0
    try {
      if (verdicts === null) {
        for (; at < length && !out.closed; at++) {
          const slot = ids[at]
          // Inlined packetAt(), which makes the packet where the slot has none, as in strict mode.
          if (predicate(packets[slot] ?? packetAt(input, at))) to[passed++] = slot
        }
      } else {
        for (; at < length; at++) if (verdicts[at] === 1) to[passed++] = ids[at]
      }
    } catch (error) {
      core.length = passed
      this.fail(error, input, at, core)
      return
    }
    core.length = passed
    if (out.closed) this.stop(input, at, core)
    else this.pass(core, burst, input)
  }

  protected onPacket(packet: Packet): void {
    let passes: boolean
    try {
      passes = this.predicate(packet)
    } catch (error) {
      this.failPacket(error)
      return
    }
    if (passes) this.out.next(packet)
  }
}
