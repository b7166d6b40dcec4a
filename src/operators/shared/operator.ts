// What the operators share: making one out of a Subscriber, and stopping half-way through a burst. rxjs 7 keeps its
// own `operate` to itself; a Subscriber given to subscribe() is used as it is, so a pipeline costs one object a step.
import { Observable, type Subscriber } from 'rxjs'
import { VhostError } from '../../errors.js'
import {
  type Burst,
  type BurstCore,
  borrow,
  coreFrom,
  cutBefore,
  endBorrow,
  failAt,
} from '../../packet/burst.js'
import { borrowPacket, endPacket, type Packet, type Slots } from '../../packet/packet.js'
import type { Overflow, PacketSink } from '../../packet/sink.js'

/** An operator that puts what `connect` makes between its source and its subscriber. State is per subscription. */
export function operator<In, Out>(
  connect: (destination: Subscriber<Out>) => Subscriber<In>,
): (source: Observable<In>) => Observable<Out> {
  return source => new Observable<Out>(destination => source.subscribe(connect(destination)))
}

/** Offers `item` to `sink`. False: the sink threw, or has no room and was asked to be strict, and `out` was told. */
export function offer(
  sink: PacketSink,
  item: Burst | Packet,
  overflow: Overflow,
  out: Subscriber<unknown>,
): boolean {
  let fits: boolean
  try {
    fits = sink.accept(item, overflow)
  } catch (error) {
    out.error(error)
    return false
  }
  if (!fits)
    out.error(new VhostError('ERR_VHOST_OVERFLOW', 'the sink has no room, and was asked to be strict'))
  return fits
}

/** The output of an operator that makes bursts out of bursts: one core per subscription, taken out while in use. */
export class Output {
  #spare: BurstCore | null = null

  /** An empty core for what is made of `input`. Put it back with emit(). */
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
    this.keep(core)
  }

  keep(core: BurstCore): void {
    core.length = 0
    this.#spare = core
  }
}

/**
 * A user's function threw at packet `at` of `input`. What was made of those before it, `core`, is delivered; the packet
 * is lost; the subscription fails, and the queue keeps the rest for the next one, so that `retry()` goes on there.
 */
export function failWith(
  error: unknown,
  input: BurstCore,
  at: number,
  core: BurstCore,
  output: Output,
  destination: Subscriber<Burst>,
): void {
  if (destination.closed) {
    stopAt(input, at - 1, core, output)
    return
  }
  output.emit(core, destination)
  if (destination.closed) {
    // Downstream ended at one of those before: the packet was given to nobody yet, and will throw in the next pipeline.
    cutBefore(input, at)
    return
  }
  failAt(input, at)
  destination.error(error)
}

/** The subscription ended inside a user's function: what was not yet handed on goes to the next one. */
export function stopAt(input: BurstCore, at: number, core: BurstCore, output: Output): void {
  cutBefore(input, core.length > 0 ? input.ids.indexOf((core.copied ?? core.ids)[0]) : at + 1)
  output.keep(core)
}

/** The first `count` packets of `input`, for those that handed nothing on yet. */
export function firstOf(input: BurstCore, count: number, output: Output): BurstCore {
  const core = output.take(input)
  for (let i = 0; i < count; i++) core.ids[i] = input.ids[i]
  core.length = count
  return core
}

/**
 * What an operator kept was emitted as a burst of its own, which no queue goes on with: what was marked as failed or not
 * given is lost, and counted.
 */
export function countLost(core: BurstCore, ended: boolean): void {
  const { slots, ids, cut, failed, length } = core
  if (failed > 0) slots.dropped(ids[Math.max(0, cut - 1)], 'pipeline-error', failed)
  if (ended && cut >= 0) for (let i = cut; i < length; i++) slots.dropped(ids[i], 'unsubscribed')
  core.cut = -1
  core.failed = 0
  core.skipped.length = 0
}

/** Emits a packet that an operator kept, and gives its lease back. */
export function lendPacket(slots: Slots, slot: number, out: Subscriber<Packet>): void {
  const packet = borrowPacket(slots, slot)
  try {
    out.next(packet)
  } finally {
    if (slots.strict) endPacket(packet)
    slots.release(slot)
  }
}

/** Emits packets that an operator kept as a burst of their own, and gives their leases back. */
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
