import {
  asyncScheduler,
  type OperatorFunction,
  type SchedulerLike,
  type Subscriber,
  type Subscription,
} from 'rxjs'
import { type Burst, BurstCore, borrow, cutBefore, endBorrow } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { countLost, OperatorSubscriber, operator } from './shared/operator.js'

/** How long `rebatch` waits. */
export interface RebatchOptions {
  /** Milliseconds after which a burst that is not full is emitted. Without it, a burst waits until it is full. */
  maxWait?: number
  /** The clock and the timers. Default rxjs's `asyncScheduler`. */
  scheduler?: SchedulerLike
}

/**
 * Gathers packets into bursts of `size`.
 *
 * <span class="informal">Like rxjs `bufferCount`, but for the packets inside bursts. The inverse of `.packets`.</span>
 *
 * ```
 * source:   --(1 2)---(3)------(4 5 6)--(7)--|
 *           rebatch(3)
 * result:   ----------(1 2 3)--(4 5 6)--(7|)
 * ```
 *
 * Packets that are left are emitted when the source completes or fails, or, with `maxWait`, so many
 * milliseconds after the first of them arrived. A burst that already has `size` packets is emitted as it is.
 *
 * **Leases.** Takes a lease on each packet that waits, until the `next` that emits the packet returns. So `size` must be
 * less than the queue's credit, or the queue stalls (a `stalled` event names `rebatch()`). An unsubscription drops the
 * packets that wait, counted as `unsubscribed`. If an operator downstream throws half-way through a burst, the rest of the
 * burst is lost. Filter such packets out before `rebatch`.
 *
 * @param size Packets of a burst.
 */
export function rebatch(
  size: number,
  { maxWait, scheduler = asyncScheduler }: RebatchOptions = {},
): OperatorFunction<Burst | Packet, Burst> {
  if (!(Number.isInteger(size) && size > 0)) throw new RangeError(`a burst can not have ${size} packets`)
  return operator(out => new RebatchSubscriber(out, size, maxWait, scheduler))
}

class RebatchSubscriber extends OperatorSubscriber<Burst> {
  /** The packets that wait; taken out while they are emitted. */
  #waiting: BurstCore | null = null
  #spare: BurstCore | null = null
  #timer: Subscription | null = null
  readonly #one = new Uint32Array(1)

  constructor(
    out: Subscriber<Burst>,
    readonly size: number,
    readonly maxWait: number | undefined,
    readonly scheduler: SchedulerLike,
  ) {
    super(out)
    this.add(() => this.#drop())
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    if (this.#waiting === null && input.length === this.size) {
      this.out.next(burst)
      return
    }
    for (let at = 0; at < input.length; ) {
      at = this.#gather(this.#coreFor(input.slots), input.ids, at, input.length)
      if (!this.out.closed) continue
      cutBefore(input, at)
      return
    }
  }

  protected onPacket(packet: Packet): void {
    this.#one[0] = slotOf(packet)
    this.#gather(this.#coreFor(slotsOf(packet)), this.#one, 0, 1)
  }

  protected override onError(error: unknown): void {
    this.#flush()
    this.out.error(error)
  }

  protected override onComplete(): void {
    this.#flush()
    this.out.complete()
  }

  #coreFor(slots: BurstCore['slots']): BurstCore {
    if (this.#waiting !== null) return this.#waiting
    const core = this.#spare ?? new BurstCore(slots, new Uint32Array(this.size))
    this.#spare = null
    core.slots = slots
    this.#waiting = core
    slots.holders?.set(core, 'rebatch()')
    if (this.maxWait !== undefined)
      this.#timer = this.scheduler.schedule(() => {
        this.#timer = null
        this.#flush()
      }, this.maxWait)
    return core
  }

  // Takes leases on as many packets as fit, and emits a full burst. Returns where to go on.
  #gather(core: BurstCore, ids: Uint32Array, from: number, to: number): number {
    const end = Math.min(to, from + this.size - core.length)
    for (let i = from; i < end; i++) {
      core.slots.retain(ids[i])
      core.ids[core.length++] = ids[i]
    }
    if (core.length === this.size) this.#flush()
    return end
  }

  #flush(): void {
    const core = this.#take()
    if (core === null) return
    const burst = borrow(core)
    core.cut = -1
    try {
      this.out.next(burst)
    } finally {
      endBorrow(burst)
      countLost(core, this.out.closed)
      this.#giveBack(core)
    }
  }

  #drop(): void {
    const core = this.#take()
    if (core === null) return
    for (let i = 0; i < core.length; i++) core.slots.dropped(core.ids[i], 'unsubscribed')
    this.#giveBack(core)
  }

  #take(): BurstCore | null {
    const core = this.#waiting
    this.#waiting = null
    this.#timer?.unsubscribe()
    this.#timer = null
    return core
  }

  #giveBack(core: BurstCore): void {
    core.slots.holders?.delete(core)
    core.slots.releaseAll(core.ids, 0, core.length)
    core.length = 0
    this.#spare = core
  }
}
