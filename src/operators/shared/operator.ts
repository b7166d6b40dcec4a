// The base of the operators. It joins source and destination, tells bursts from single packets, ends a burst half-way where
// a subscription ends in it, and reports what a user's function threw; an operator adds what it does with a burst and with a
// packet. State is per subscription.
//
// rxjs 7 deprecates the constructor of `Subscriber` and does not export its own base of operators. `subscribe()` also uses
// an object as it is when that is a Subscription and an Observer: a step of a pipeline costs one object, and one call.
import { Observable, type Observer, type OperatorFunction, type Subscriber, Subscription } from 'rxjs'
import { VhostError } from '../../errors.js'
import {
  Burst,
  type BurstCore,
  borrow,
  coreFrom,
  coreOf,
  cutBefore,
  endBorrow,
  failAt,
  packetFaults,
} from '../../packet/burst.js'
import { borrowPacket, endPacket, type Packet, type Slots } from '../../packet/packet.js'
import type { Overflow, PacketSink } from '../../packet/sink.js'

/** An operator which subscribes its source with what `connect` makes for each subscriber of the result. */
export function operator<In, Out>(
  connect: (out: Subscriber<never>) => SourceSubscriber<never>,
): OperatorFunction<In, Out> {
  return source =>
    new Observable<Out>(out => source.subscribe(connect(out as Subscriber<never>) as SourceSubscriber<In>))
}

/** What a source is subscribed with: after `error`, `complete` or `unsubscribe` it takes nothing more. */
export abstract class SourceSubscriber<In> extends Subscription implements Observer<In> {
  protected stopped = false

  /** Checks `stopped` first. */
  abstract next(item: In): void
  protected abstract onError(error: unknown): void
  protected abstract onComplete(): void

  error(error: unknown): void {
    if (this.stopped) return
    this.stopped = true
    try {
      this.onError(error)
    } finally {
      this.unsubscribe()
    }
  }

  complete(): void {
    if (this.stopped) return
    this.stopped = true
    try {
      this.onComplete()
    } finally {
      this.unsubscribe()
    }
  }

  override unsubscribe(): void {
    this.stopped = true
    super.unsubscribe()
  }
}

/** Takes bursts and single packets. The loop over a burst is the subclass's own, so that V8 inlines what it calls. */
export abstract class PacketSubscriber extends SourceSubscriber<Burst | Packet> {
  next(item: Burst | Packet): void {
    if (this.stopped) return
    if (item instanceof Burst) this.onBurst(item, coreOf(item))
    else this.onPacket(item)
  }

  /** `input` is what `burst` is a handle of. */
  protected abstract onBurst(burst: Burst, input: BurstCore): void
  protected abstract onPacket(packet: Packet): void
}

/**
 * Takes bursts and single packets, and emits to one destination, `out`. It ends when `out` does; errors and completion pass
 * to `out` unless a subclass has its own `onError` or `onComplete`.
 */
export abstract class OperatorSubscriber<Out = Burst | Packet> extends PacketSubscriber {
  readonly #output = new Output()

  constructor(readonly out: Subscriber<Out>) {
    super()
    out.add(this)
  }

  protected onError(error: unknown): void {
    this.out.error(error)
  }

  protected onComplete(): void {
    this.out.complete()
  }

  /** An empty core for what is made of `input`. Hand it to one of the methods below, which take it back. */
  protected take(input: BurstCore): BurstCore {
    return this.#output.take(input)
  }

  /** Emits the packets in `core`, if there are any. */
  protected emit(this: OperatorSubscriber, core: BurstCore): void {
    this.#output.emit(core, this.out)
  }

  /** Emits the packets in `core`, some of those of `burst`. Where they are all of them, `burst` itself goes on. */
  protected pass(this: OperatorSubscriber, core: BurstCore, burst: Burst, input: BurstCore): void {
    if (core.length < input.length) {
      this.emit(core)
      return
    }
    this.#output.putBack(core)
    this.out.next(burst)
  }

  /** The first `count` packets of `input`, for operators that emit a burst only after they have looked at all of it. */
  protected firstOf(input: BurstCore, count: number): BurstCore {
    const core = this.take(input)
    for (let i = 0; i < count; i++) core.ids[i] = input.ids[i]
    core.length = count
    return core
  }

  /**
   * A user's function threw at packet `at` of `input`. What was made of the packets before it, `core`, is emitted; the packet
   * is dropped; the subscription fails, and the queue has the rest for the next one, so that `retry()` goes on there.
   */
  protected fail(
    this: OperatorSubscriber,
    error: unknown,
    input: BurstCore,
    at: number,
    core = this.firstOf(input, at),
  ): void {
    if (this.out.closed) {
      this.stop(input, at, core)
      return
    }
    this.emit(core)
    if (this.out.closed) {
      // The subscription ended at one of the packets before: this one goes to the next subscription, and throws there.
      cutBefore(input, at)
      return
    }
    failAt(input, at)
    this.out.error(error)
  }

  /**
   * The subscription ended inside a user's function, before packet `at` of `input` was looked at. Nothing of the burst was
   * emitted: all that is in `core`, and what follows, goes to the next subscription.
   */
  protected stop(input: BurstCore, at: number, core = this.firstOf(input, at)): void {
    cutBefore(input, core.length > 0 ? input.ids.indexOf((core.copied ?? core.ids)[0]) : at)
    this.#output.putBack(core)
  }

  /** A user's function threw at a single packet, which is dropped; the subscription fails. */
  protected failPacket(error: unknown): void {
    packetFaults.count++
    this.out.error(error)
  }

  /** Offers `item` to `sink`. False: the subscription has failed, since the sink threw, or is full and `strict`. */
  protected offer(sink: PacketSink, item: Burst | Packet, overflow: Overflow): boolean {
    let fits: boolean
    try {
      fits = sink.accept(item, overflow)
    } catch (error) {
      this.out.error(error)
      return false
    }
    if (!fits)
      this.out.error(
        new VhostError('ERR_VHOST_OVERFLOW', "the sink is full and the overflow policy is 'strict'"),
      )
    return fits
  }
}

/** Makes bursts out of bursts: one core per subscription. It is taken out while in use, since `next` may be re-entered. */
export class Output {
  #spare: BurstCore | null = null

  /** An empty core for what is made of `input`. Put it back with emit() or putBack(). */
  take(input: BurstCore): BurstCore {
    const spare = this.#spare
    this.#spare = null
    return coreFrom(input, spare)
  }

  /** Lends `core` to the destination, if there is something in it. */
  emit(core: BurstCore, destination: Subscriber<Burst>): void {
    if (core.length > 0 && !destination.closed) {
      const burst = borrow(core)
      try {
        destination.next(burst)
      } finally {
        endBorrow(burst)
      }
    }
    this.putBack(core)
  }

  /** Empties `core`, for the next take(). */
  putBack(core: BurstCore): void {
    core.length = 0
    this.#spare = core
  }
}

/**
 * After packets that an operator held were emitted as a burst. No queue has the rest of such a burst for the next
 * subscription, so packets that it marked as failed or as not given are dropped here, and counted.
 */
export function countLost(core: BurstCore, ended: boolean): void {
  const { slots, ids, cut, failed, length } = core
  if (failed > 0) slots.dropped(ids[Math.max(0, cut - 1)], 'pipeline-error', failed)
  if (ended && cut >= 0) for (let i = cut; i < length; i++) slots.dropped(ids[i], 'unsubscribed')
  core.cut = -1
  core.failed = 0
  core.skipped.length = 0
}

/** Emits a packet that an operator held, and releases it. */
export function lendPacket(slots: Slots, slot: number, out: Subscriber<Packet>): void {
  const packet = borrowPacket(slots, slot)
  try {
    out.next(packet)
  } finally {
    if (slots.strict) endPacket(packet)
    slots.release(slot)
  }
}

/** Emits packets that an operator held as one burst, and releases them. */
export function lendBurst(core: BurstCore, out: Subscriber<Burst>): void {
  const burst = borrow(core)
  core.cut = -1
  try {
    out.next(burst)
  } finally {
    endBorrow(burst)
    countLost(core, out.closed)
    core.slots.releaseAll(core.ids, 0, core.length)
  }
}
