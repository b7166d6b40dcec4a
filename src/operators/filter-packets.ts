import { type MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { Burst, coreOf, packetAt, packetFaults } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { type PacketPredicate, Verdicts } from '../packet/predicate.js'
import { failWith, Output, operator, stopAt } from './shared/operator.js'

/**
 * Lets through the packets for which `predicate` says so.
 *
 * <span class="informal">Like rxjs `filter`, but for the packets inside bursts.</span>
 *
 * ```
 * source:   --(1 2 3 4)-----(5 7)-----(6)--|
 *           filterPackets(p => p is even)
 * result:   --(2 4)-------------------(6)--|
 * ```
 *
 * An empty burst is not emitted. Its input is not altered: another branch of a `merge` sees all packets.
 *
 * **Leases.** Takes none. What it leaves out stays borrowed with its burst and goes back when that ends.
 *
 * A predicate that throws costs one packet, dropped and counted as `pipeline-error`. Those before it are emitted, then
 * the subscription fails; with `retry()` it goes on with the packet behind.
 *
 * @param predicate Called with each packet, which it borrows for the call; or a filter expression, `bpf('udp port 53')` of
 * `rx-vhost/bpf`, which judges a burst at once.
 * @example
 * guest.fromGuest().pipe(filterPackets(p => p.uint16(12) !== 0x86dd), enqueue(other.toGuest()))   // no IPv6
 */
export function filterPackets<T extends Burst | Packet = Burst>(
  predicate: PacketPredicate,
): MonoTypeOperatorFunction<T> {
  return operator<T, T>(
    destination =>
      new FilterSubscriber(destination as Subscriber<Burst | Packet>, predicate) as Subscriber<unknown>,
  )
}

class FilterSubscriber extends Subscriber<Burst | Packet> {
  readonly #output = new Output()
  readonly #verdicts: Verdicts

  constructor(
    readonly out: Subscriber<Burst | Packet>,
    readonly predicate: PacketPredicate,
  ) {
    super(out)
    this.#verdicts = new Verdicts(predicate)
  }

  protected override _next(item: Burst | Packet): void {
    if (item instanceof Burst) this.#burst(item)
    else this.#packet(item)
  }

  #burst(burst: Burst): void {
    const input = coreOf(burst)
    const core = this.#output.take(input)
    const { out, predicate } = this
    const { ids, length } = input
    const { packets } = input.slots
    const to = core.ids
    const verdicts = this.#verdicts.of(input)
    let at = 0
    let kept = 0
    try {
      if (verdicts === null) {
        for (; at < length && !out.closed; at++) {
          const slot = ids[at]
          // packetAt() knows what to do where the slot has none, as in strict mode.
          if (predicate(packets[slot] ?? packetAt(input, at))) to[kept++] = slot
        }
      } else {
        for (; at < length; at++) if (verdicts[at] === 1) to[kept++] = ids[at]
      }
    } catch (error) {
      core.length = kept
      failWith(error, input, at, core, this.#output, out)
      return
    }
    core.length = kept
    if (out.closed) stopAt(input, at - 1, core, this.#output)
    else if (kept === length) {
      // All of them: the borrow itself goes on, and no second handle is needed.
      this.#output.keep(core)
      out.next(burst)
    } else this.#output.emit(core, out)
  }

  #packet(packet: Packet): void {
    let pass: boolean
    try {
      pass = this.predicate(packet)
    } catch (error) {
      packetFaults.count++
      this.out.error(error)
      return
    }
    if (pass) this.out.next(packet)
  }
}
