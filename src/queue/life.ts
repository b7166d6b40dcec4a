// What the subscriptions of a queue depend on, besides the queue: the driver that they open, or the device that they end
// with. It knows neither.
import { type Observable, takeUntil } from 'rxjs'

/** What a queue's subscriptions depend on, besides the queue. */
export interface QueueLife {
  /** A subscription begins. May throw, which the subscriber gets as an error. */
  use?(): void
  /** One that began has ended. */
  leave?(): void
  /** Emits when subscriptions are to complete. */
  readonly ended?: Observable<unknown>
}

/** Of a queue that depends on nothing else. */
export const FREE: QueueLife = {}

/** Samples until then. */
export const whileIn = <T>({ ended }: QueueLife, samples: Observable<T>): Observable<T> =>
  ended ? samples.pipe(takeUntil(ended)) : samples
