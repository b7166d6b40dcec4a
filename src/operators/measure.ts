import type { MonoTypeOperatorFunction, Observer, Subscriber } from 'rxjs'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** What passed with one `next`, and so far in this subscription. */
export interface Measurement {
  /** Of this `next`. */
  readonly packets: number
  /** Bytes of those packets, without virtio-net headers. */
  readonly bytes: number
  /** Milliseconds that what follows took for it, inside its `next`. */
  readonly busy: number
  /** Since the subscription, these included. */
  readonly totalPackets: number
  /** Since the subscription. */
  readonly totalBytes: number
  /** Milliseconds since the subscription that what follows took. */
  readonly totalBusy: number
  /** Milliseconds from the subscription until now. */
  readonly elapsed: number
}

/** What `measure` takes the time from. */
export interface MeasureOptions {
  /** Milliseconds that only rise; for tests. */
  now?: () => number
}

/**
 * Tells `observer` of each burst how many packets and bytes it had and how long what follows took for it; hands
 * everything on as it came.
 *
 * ```
 * source:   --(1 2 3)--------(4)--|
 *           measure(m => …)
 * observer: --{packets: 3}---{packets: 1}--|
 * result:   --(1 2 3)--------(4)--|
 * ```
 *
 * An observer, such as a Subject, is told of the source's end too. Counted from zero in each subscription. Of single
 * packets each is a measurement: that costs two looks at the clock a packet.
 *
 * **Leases.** Takes none.
 *
 * If `observer` throws, the subscription fails; the burst was handed on by then.
 *
 * @param observer Called after each burst was handed on.
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
