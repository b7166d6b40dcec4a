import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber } from 'rxjs'
import { completeChecksum } from '../headers/checksum.js'
import type { Burst, BurstCore } from '../packet/burst.js'
import { NO_SLOT, type Packet, type Slots, slotOf, slotsOf } from '../packet/packet.js'
import { cloneSlot, writablesOf, writeIn } from '../packet/rewriting.js'
import type { WritablePacket } from '../packet/writable.js'
import { Path, type PathOptions } from './impair/impairments.js'
import { DelayLine } from './shaping/delay-line.js'
import { anySeed } from './shaping/random.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** How bad the path is, and the clock. */
export interface ImpairOptions extends PathOptions {
  /** The timers and the clock. Default rxjs's `asyncScheduler`, with the monotonic clock. */
  scheduler?: SchedulerLike
}

/**
 * Simulates a bad path, for tests, as Linux's netem does: delays, loses, duplicates, reorders and corrupts packets at
 * random; the same seed gives the same result.
 *
 * ```
 * source:   --(1 2 3)------------(4)--|
 *           impair({ delay: 3, loss: 0.25, seed: 15 })
 * result:   -----(1 3)--------------(4|)      2 is counted as impair-loss
 * ```
 *
 * For each packet the operator decides in this order: whether it is lost, whether it is duplicated, then for each of the
 * two whether it is corrupted, when a path of `bitsPerSecond` has sent it, and its delay. With jitter packets overtake each
 * other, unless `keepOrder` is set. Times are whole milliseconds, rounded up. If the guest left a checksum to be computed,
 * it is computed before a bit is changed, so that the receiver detects the corruption. It can't be computed for packets
 * with segmentation offload, whose corruption may go undetected.
 *
 * **Leases.** Takes one on each packet that is on the way; it copies only duplicated and corrupted packets. So at most the
 * queue's credit is on the way, and a guest that sends more is slowed down to credit ÷ delay: 1,024 packets in 100 ms are
 * 10,000 a second. Give the driver a larger `highWaterMark` for more (and `configurePool`), or set `limit` to drop instead.
 * When the source completes, packets on the way are still emitted; after an error or an unsubscription they are dropped, and
 * counted as `unsubscribed`. If an operator downstream throws half-way through a burst, the rest of the burst is lost:
 * filter before.
 *
 * Drops are counted at the queue as `impair-loss` and `impair-limit`, and as `no-slot` if the pool has no slot for a copy.
 *
 * @param options Throws a `RangeError` for a value that is no probability or time, and for `reorder` without a delay.
 * @example
 * guest.fromGuest().pipe(impair({ delay: 40, jitter: 5, loss: 0.01, seed: 7 }), enqueue(other.toGuest()))
 */
export function impair<T extends Burst | Packet = Burst>(
  options: ImpairOptions = {},
): MonoTypeOperatorFunction<T> {
  const { seed = anySeed(), scheduler = asyncScheduler } = options
  const path = (): Path => new Path(options, seed)
  // Wrong options throw here, not at the first subscription.
  path()
  return operator(out => new ImpairSubscriber(out, path(), scheduler))
}

class ImpairSubscriber extends OperatorSubscriber {
  readonly #line: DelayLine
  readonly #now = new Float64Array(1)
  readonly #flipBit = (packet: WritablePacket): void => {
    if (packet.length === 0) return
    completeChecksum(packet)
    const bit = this.path.bitOf(packet.length * 8)
    packet.setUint8(bit >>> 3, packet.uint8(bit >>> 3) ^ (1 << (bit & 7)))
  }

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly path: Path,
    scheduler: SchedulerLike,
  ) {
    super(out)
    this.#line = new DelayLine(out, scheduler, 'impair()')
  }

  protected onBurst(_: Burst, { slots, ids, length }: BurstCore): void {
    this.#now[0] = this.#line.now()
    for (let i = 0; i < length; i++) this.#send(slots, ids[i], false)
    this.#line.flush()
  }

  protected onPacket(packet: Packet): void {
    this.#now[0] = this.#line.now()
    this.#send(slotsOf(packet), slotOf(packet), true)
    this.#line.flush()
  }

  protected override onComplete(): void {
    this.#line.complete()
  }

  #send(slots: Slots, slot: number, single: boolean): void {
    const { path } = this
    if (path.loses()) {
      slots.dropped(slot, 'impair-loss')
      return
    }
    const twice = path.doubles()
    this.#hold(slots, slot, single)
    if (!twice) return
    // A slot of its own: an operator downstream may rewrite each of the two.
    const second = cloneSlot(slots, slot)
    if (second === NO_SLOT) return
    this.#hold(slots, second, single)
    slots.release(second)
  }

  #hold(slots: Slots, slot: number, single: boolean): void {
    const { path } = this
    const line = this.#line
    const corrupt = path.corrupts()
    if (line.size >= path.limit) {
      slots.dropped(slot, 'impair-limit')
      return
    }
    line.due[0] = this.#now[0]
    path.due(slots, slot, line.due)
    if (corrupt) {
      const copy = cloneSlot(slots, slot)
      if (copy === NO_SLOT) slots.dropped(slot, 'no-slot')
      else {
        writeIn(slots, writablesOf(slots), copy, this.#flipBit)
        line.hold(slots, copy, single)
      }
      return
    }
    slots.retain(slot)
    line.hold(slots, slot, single)
  }
}
