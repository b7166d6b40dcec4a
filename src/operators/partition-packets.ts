import { Observable, type Subscriber } from 'rxjs'
import {
  type Burst,
  type BurstCore,
  borrow,
  cutBefore,
  endBorrow,
  failAt,
  packetAt,
  packetFaults,
  skip,
  skipRest,
} from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { type PacketPredicate, Verdicts } from '../packet/predicate.js'
import { Output, PacketSubscriber } from './shared/operator.js'

/**
 * Splits a stream of packets in two: those for which `predicate` says so, and the others.
 *
 * <span class="informal">Like rxjs `partition`, but for the packets inside bursts, and with one subscription to the
 * source: `predicate` is called once a packet.</span>
 *
 * ```
 * source:    --(1 2 3 4)-----(5 7)-----(6)--|
 *            partitionPackets(source, p => p is even)
 * matching:  --(2 4)-------------------(6)--|
 * others:    --(1 3)---------(5 7)----------|
 * ```
 *
 * The first subscription to either side subscribes to the source; when the last one ends, the source is unsubscribed. A
 * `merge` of both sides sees every packet, since a queue starts in a later turn. The matching packets of a burst are
 * emitted first. Packets of a side without a subscriber are dropped, and counted as `unsubscribed`.
 *
 * **Leases.** Takes none: both sides borrow from the same burst.
 *
 * If the predicate throws, that packet is dropped and counted as `pipeline-error`, the packets before it are emitted, and
 * both sides fail; a `retry()` after their `merge` goes on with the next packet.
 *
 * @param predicate Called with each packet, which it borrows for the call; or a filter of `rx-vhost/bpf`.
 * @return The matching packets, and the others.
 * @example
 * const [ip, others] = partitionPackets(guest.fromGuest(), p => p.uint16(12) === 0x0800)
 * merge(ip.pipe(enqueue(router.toGuest())), others.pipe(drop('not-ip'))).subscribe()
 */
export function partitionPackets<T extends Burst | Packet>(
  source: Observable<T>,
  predicate: PacketPredicate,
): [matching: Observable<T>, others: Observable<T>] {
  let running: PartitionSubscriber | null = null
  const side = (which: 0 | 1): Observable<T> =>
    new Observable<T>(destination => {
      const target = destination as Subscriber<Burst | Packet>
      const first = running === null || running.closed
      const mine: PartitionSubscriber = first
        ? new PartitionSubscriber(predicate)
        : (running as PartitionSubscriber)
      running = mine
      mine.join(which, target)
      if (first) (source as Observable<Burst | Packet>).subscribe(mine)
      return () => mine.leave(which, target)
    })
  return [side(0), side(1)]
}

type Targets = readonly Subscriber<Burst | Packet>[]

// Each side multicasts, like a Subject. Its list of targets is replaced, never altered, since `next` may subscribe and
// unsubscribe while it is being read.
class PartitionSubscriber extends PacketSubscriber {
  readonly #sides: [Targets, Targets] = [[], []]
  readonly #outputs = [new Output(), new Output()]
  readonly #verdicts: Verdicts

  constructor(readonly predicate: PacketPredicate) {
    super()
    this.#verdicts = new Verdicts(predicate)
  }

  join(which: 0 | 1, target: Subscriber<Burst | Packet>): void {
    this.#sides[which] = [...this.#sides[which], target]
  }

  leave(which: 0 | 1, target: Subscriber<Burst | Packet>): void {
    this.#sides[which] = this.#sides[which].filter(other => other !== target)
    if (this.#sides[0].length + this.#sides[1].length === 0) this.unsubscribe()
  }

  protected onError(error: unknown): void {
    const targets = this.#end()
    for (const target of targets) target.error(error)
  }

  protected onComplete(): void {
    const targets = this.#end()
    for (const target of targets) target.complete()
  }

  // A later subscription of either side subscribes the source again.
  #end(): Targets {
    const targets = [...this.#sides[0], ...this.#sides[1]]
    this.unsubscribe()
    return targets
  }

  protected onBurst(_: Burst, input: BurstCore): void {
    const [yes, no] = [this.#outputs[0].take(input), this.#outputs[1].take(input)]
    const { ids, length } = input
    const verdicts = this.#verdicts.of(input)
    let at = 0
    let failure: { error: unknown } | undefined
    let matching = 0
    let other = 0
    try {
      for (; at < length && !this.closed; at++) {
        if (verdicts === null ? this.predicate(packetAt(input, at)) : verdicts[at] === 1)
          yes.ids[matching++] = ids[at]
        else no.ids[other++] = ids[at]
      }
    } catch (error) {
      failure = { error }
    }
    yes.length = matching
    no.length = other
    // The subscription ended inside the predicate: no packet of the burst was emitted.
    if (this.closed) cutBefore(input, 0)
    else {
      this.#emit(0, yes)
      if (this.closed) for (let i = 0; i < other; i++) skip(no, i)
      else {
        this.#emit(1, no)
        if (this.closed) skipRest(no, input, at)
      }
      if (this.closed && at < length) cutBefore(input, at)
      else if (failure !== undefined) failAt(input, at)
    }
    this.#outputs[0].putBack(yes)
    this.#outputs[1].putBack(no)
    if (failure !== undefined) this.error(failure.error)
  }

  #emit(which: 0 | 1, core: BurstCore): void {
    if (core.length === 0) return
    const targets = this.#sides[which]
    if (targets.length === 0) {
      for (let i = 0; i < core.length; i++) core.slots.dropped(core.ids[i], 'unsubscribed')
      return
    }
    const burst = borrow(core)
    try {
      for (let i = 0; i < targets.length; i++) targets[i].next(burst)
    } finally {
      endBorrow(burst)
    }
  }

  protected onPacket(packet: Packet): void {
    let which: 0 | 1
    try {
      which = this.predicate(packet) ? 0 : 1
    } catch (error) {
      packetFaults.count++
      this.error(error)
      return
    }
    const targets = this.#sides[which]
    if (targets.length === 0) slotsOf(packet).dropped(slotOf(packet), 'unsubscribed')
    for (let i = 0; i < targets.length; i++) targets[i].next(packet)
  }
}
