import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber } from 'rxjs'
import { type Burst, type BurstCore, cutBefore } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { type Depth, type RateOptions, TokenBucket } from './rate-limit/token-bucket.js'
import { clockOf } from './shaping/clock.js'
import { DelayLine } from './shaping/delay-line.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** Default depth of the bucket: for `shape` as much as a late timer needs, for `police` as much as a burst needs. */
const DEPTH_MS = { shape: 10, police: 100 }

/** The rates, and what happens to packets that exceed them. */
export interface RateLimitOptions extends RateOptions {
  /** Packets that exceed the rate wait (`shape`, default) or are dropped (`police`). */
  mode?: 'shape' | 'police'
  /** Packets that may pass at once after a pause. Default: those of 10 ms at the rate, with `police` of 100 ms. */
  burstPackets?: number
  /** Bytes likewise. */
  burstBytes?: number
  /** The reason under which `police` counts its drops. Default `rate-limit`. */
  reason?: string
  /** The timers and the clock. Default rxjs's `asyncScheduler`, with the monotonic clock. */
  scheduler?: SchedulerLike
}

/**
 * Limits the packets, the bits, or both, that pass in a second, by a token bucket.
 *
 * ```
 * source:   --(1 2 3 4)------(5)--|
 *           rateLimit({ packetsPerSecond: 500, burstPackets: 2 })
 * result:   --(1 2)-(3)-(4)--(5)--|      a frame is 1 ms
 *           rateLimit({ packetsPerSecond: 500, burstPackets: 2, mode: 'police' })
 * result:   --(1 2)----------(5)--|      3 and 4 are counted as rate-limit
 * ```
 *
 * `shape` delays packets, in order, and drops none. Its output has the given rate however late the timers are, since the
 * time of each packet is computed when it arrives. There is one timer, of a millisecond or more, not one for each packet.
 * `police` drops packets and needs no timer; it reaches the rate only if its bucket is deep enough for the source's pauses.
 *
 * Bits are those of the frame, without preamble, check sequence and gap; `overhead: 24` adds these. A packet with
 * segmentation offload counts as the frames that it becomes, with headers and overhead of each. A packet that costs more
 * than a full bucket holds passes when the bucket is full, and the packets after it wait until its cost is paid.
 *
 * **Leases.** `shape` takes one on each packet that waits. So at most the queue's credit waits (1,024 packets unless
 * `highWaterMark` says otherwise); then the queue stops, and the guest is slowed to the rate, without loss. At 1,000 packets
 * a second that is a second of delay: a small `highWaterMark` makes a short queue. When the source completes, packets that
 * wait are still emitted; after an error or an unsubscription they are dropped, and counted as `unsubscribed`. If an operator
 * downstream throws half-way through a burst that had waited, the rest of the burst is lost: filter before. `police` takes
 * no lease.
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
  // Wrong options throw here, not at the first subscription.
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
