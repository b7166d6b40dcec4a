import type { MonoTypeOperatorFunction, Observer, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** What one `next` had, and the subscription so far. */
export interface Measurement {
  /** Packets of this `next`. */
  readonly packets: number
  /** Bytes of those packets, without virtio-net headers. */
  readonly bytes: number
  /** Milliseconds that the operators downstream took, inside this `next`. */
  readonly busy: number
  /** Packets since the subscription, these included. */
  readonly totalPackets: number
  /** Bytes since the subscription. */
  readonly totalBytes: number
  /** Milliseconds that the operators downstream took since the subscription. */
  readonly totalBusy: number
  /** Milliseconds from the subscription until now. */
  readonly elapsed: number
}

/** The clock of `measure`. */
export interface MeasureOptions {
  /** A clock that never goes back, in milliseconds; for tests. */
  now?: () => number
}

/**
 * Tells `observer` how many packets and bytes each burst had, and how long the operators downstream took for it. Emits
 * everything as it came.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           measure(m => …)
 * observer: --{packets: 3}---{packets: 1}--|
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * An observer, such as a Subject, also gets the source's completion or error. Each subscription counts from zero. Each
 * single packet is a measurement of its own, which costs two readings of the clock.
 *
 * **Leases.** Takes none.
 *
 * If `observer` throws, the subscription fails; the burst was emitted before.
 *
 * @param observer Called after each burst was emitted.
 * @example
 * const rate = new Subject<Measurement>()
 * rate.pipe(sampleTime(1000)).subscribe(m => console.log(m.totalPackets / m.elapsed, 'packets a ms'))
 * guest.fromGuest().pipe(measure(rate), enqueue(other.toGuest())).subscribe()
 */
export function measure<T extends Burst | Packet = Burst>(
  observer: Partial<Observer<Measurement>> | ((measurement: Measurement) => void),
  { now = () => performance.now() }: MeasureOptions = {},
): MonoTypeOperatorFunction<T> {
  const told = typeof observer === 'function' ? { next: observer } : observer
  return operator(out => new MeasureSubscriber(out, told, now))
}

class MeasureSubscriber extends OperatorSubscriber {
  readonly #began: number
  #packets = 0
  #bytes = 0
  #busy = 0

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly observer: Partial<Observer<Measurement>>,
    readonly now: () => number,
  ) {
    super(out)
    this.#began = now()
  }

  protected onBurst(burst: Burst): void {
    this.#pass(burst, burst.length, burst.bytes)
  }

  protected onPacket(packet: Packet): void {
    this.#pass(packet, 1, packet.length)
  }

  protected override onError(error: unknown): void {
    this.observer.error?.(error)
    this.out.error(error)
  }

  protected override onComplete(): void {
    this.observer.complete?.()
    this.out.complete()
  }

  #pass(item: Burst | Packet, packets: number, bytes: number): void {
    const before = this.now()
    this.out.next(item)
    const after = this.now()
    this.#packets += packets
    this.#bytes += bytes
    this.#busy += after - before
    try {
      this.observer.next?.({
        packets,
        bytes,
        busy: after - before,
        totalPackets: this.#packets,
        totalBytes: this.#bytes,
        totalBusy: this.#busy,
        elapsed: after - this.#began,
      })
    } catch (error) {
      this.out.error(error)
    }
  }
}
