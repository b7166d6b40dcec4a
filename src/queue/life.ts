// The interface between the subscriptions of a queue and what they depend on besides the queue: the driver that they open, or
// the device that they end with.
import { type Observable, takeUntil } from 'rxjs'

/** What a queue's subscriptions depend on, besides the queue. */
export interface QueueLife {
  /** A subscription begins. If this throws, the subscriber gets that as an error. */
  use?(): void
  /** A subscription that began has ended. */
  leave?(): void
  /** Emits when subscriptions must complete. */
  readonly ended?: Observable<unknown>
}

/** For a queue that depends on nothing else. */
export const FREE: QueueLife = {}

/** The samples, until `ended` emits. */
export const whileIn = <T>({ ended }: QueueLife, samples: Observable<T>): Observable<T> =>
  ended ? samples.pipe(takeUntil(ended)) : samples
