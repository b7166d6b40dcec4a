import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber } from 'rxjs'
import { type Burst, type BurstCore, cutBefore } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { type Depth, type RateOptions, TokenBucket } from './rate-limit/token-bucket.js'
import { clockOf } from './shaping/clock.js'
import { DelayLine } from './shaping/delay-line.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** What goes at once after a pause, unless told otherwise: in shape enough for a late timer, in police for a burst. */
const DEPTH_MS = { shape: 10, police: 100 }

/** The rates, and what becomes of what exceeds them. */
export interface RateLimitOptions extends RateOptions {
  /** What exceeds the rate waits (`shape`, default) or is dropped (`police`). */
  mode?: 'shape' | 'police'
  /** Packets that may go at once after a pause. Default: those of 10 ms at the rate, in `police` of 100 ms. */
  burstPackets?: number
  /** Bytes likewise. */
  burstBytes?: number
  /** Under which `police` counts its drops. Default `rate-limit`. */
  reason?: string
  /** Keeps the time. Default rxjs's `asyncScheduler`, read by the monotonic clock. */
  scheduler?: SchedulerLike
}

/**
 * Lets no more through than so many packets, or bits, or both, a second: a token bucket.
 *
 * ```
 * source:   --(1 2 3 4)------(5)--|
 *           rateLimit({ packetsPerSecond: 500, burstPackets: 2 })
 * result:   --(1 2)-(3)-(4)--(5)--|      a frame is 1 ms
 *           rateLimit({ packetsPerSecond: 500, burstPackets: 2, mode: 'police' })
 * result:   --(1 2)----------(5)--|      3 and 4 are counted as rate-limit
 * ```
 *
 * `shape` keeps what must wait, in order, and loses nothing: what it emits has the rate that was asked for, however late
 * the timers are, since each packet's time is told when it comes. There is one timer, of a millisecond or more, not one a
 * packet. `police` drops it, needs no timer, and has the rate only if its bursts are large enough for the source's pauses.
 *
 * Bits are those of the frame, without preamble, check sequence and gap; `overhead: 24` adds these. A packet with
 * segmentation offload counts as the frames that it becomes, headers and overhead of each. One that costs more than a full
 * bucket holds goes when that is full, and those behind it wait the longer.
 *
 * **Leases.** `shape` takes one on each packet that waits. So it keeps at most the queue's credit (1,024 packets unless
 * `highWaterMark` says otherwise), then the queue stops, and the guest is slowed to the rate: no buffer, no loss. At 1,000
 * packets a second that is a second of delay: a small `highWaterMark` makes a short queue. When the source completes, what
 * waits still comes out; after an error or an unsubscription it is counted as `unsubscribed`. If something downstream throws
 * half-way through a burst that had waited, the rest of that burst is lost: filter before. `police` takes no lease.
 *
 * @param options Throws a `TypeError` without a rate, a `RangeError` for one that is not positive.
 * @example
 * guest.fromGuest().pipe(rateLimit({ bitsPerSecond: 100e6, overhead: 24 }), enqueue(other.toGuest()))
 */
export function rateLimit<T extends Burst | Packet = Burst>(
  options: RateLimitOptions,
): MonoTypeOperatorFunction<T> {
  const {
    mode = 'shape',
    burstPackets,
    burstBytes,
    reason = 'rate-limit',
    scheduler = asyncScheduler,
  } = options
  if (!Object.hasOwn(DEPTH_MS, mode)) throw new RangeError(`a mode is shape or police, not ${mode}`)
  const depth: Depth = { ms: DEPTH_MS[mode], packets: burstPackets, bytes: burstBytes }
  const bucket = (): TokenBucket => new TokenBucket(options, depth)
  // Complains here, and not when it is subscribed.
  bucket()
  return operator(out =>
    mode === 'police'
      ? new PoliceSubscriber(out, bucket(), clockOf(scheduler), reason)
      : new ShapeSubscriber(out, bucket(), scheduler),
  )
}

class ShapeSubscriber extends OperatorSubscriber {
  readonly #line: DelayLine

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly bucket: TokenBucket,
    scheduler: SchedulerLike,
  ) {
    super(out)
    this.#line = new DelayLine(out, scheduler, 'rateLimit()')
  }

  protected override onComplete(): void {
    this.#line.complete()
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { bucket, out } = this
    const { slots, ids, length } = input
    const line = this.#line
    const { due } = line
    const now = line.now()
    let at = 0
    if (line.size === 0) {
      for (; at < length; at++) {
        due[0] = now
        if (bucket.reserve(slots, ids[at], due)) break
      }
      if (at === length) {
        out.next(burst)
        return
      }
      const first = due[0]
      if (at > 0) this.emit(this.firstOf(input, at))
      if (out.closed) {
        cutBefore(input, at)
        return
      }
      due[0] = first
      slots.retain(ids[at])
      line.hold(slots, ids[at++], false)
    }
    for (; at < length; at++) {
      due[0] = now
      bucket.reserve(slots, ids[at], due)
      slots.retain(ids[at])
      line.hold(slots, ids[at], false)
    }
    line.arm(now)
  }

  protected onPacket(packet: Packet): void {
    const [slots, slot] = [slotsOf(packet), slotOf(packet)]
    const line = this.#line
    const { due } = line
    const now = line.now()
    due[0] = now
    const waits = this.bucket.reserve(slots, slot, due)
    if (line.size === 0 && !waits) {
      this.out.next(packet)
      return
    }
    slots.retain(slot)
    line.hold(slots, slot, true)
    line.arm(now)
  }
}

class PoliceSubscriber extends OperatorSubscriber {
  readonly #at = new Float64Array(1)

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly bucket: TokenBucket,
    readonly now: () => number,
    readonly reason: string,
  ) {
    super(out)
  }

  protected onBurst(burst: Burst, input: BurstCore): void {
    const { slots, ids, length } = input
    const core = this.take(input)
    this.#at[0] = this.now()
    let admitted = 0
    for (let i = 0; i < length; i++) {
      if (this.bucket.admit(slots, ids[i], this.#at)) core.ids[admitted++] = ids[i]
      else slots.dropped(ids[i], this.reason)
    }
    core.length = admitted
    this.pass(core, burst, input)
  }

  protected onPacket(packet: Packet): void {
    const [slots, slot] = [slotsOf(packet), slotOf(packet)]
    this.#at[0] = this.now()
    if (this.bucket.admit(slots, slot, this.#at)) this.out.next(packet)
    else slots.dropped(slot, this.reason)
  }
}
