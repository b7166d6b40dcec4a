import { type MonoTypeOperatorFunction, Observable } from 'rxjs'
import { onAbort } from '../abort.js'

/**
 * Completes when `signal` is aborted.
 *
 * ```
 * source:   --a---b---c---d--
 * signal:   ----------!
 *           takeUntilAborted(signal)
 * result:   --a---b---|
 * ```
 *
 * Like rxjs `takeUntil`. If `signal` is aborted already, it does not subscribe to the source.
 *
 * **Leases.** Takes none. Packets that were not emitted stay with the queue, and operators upstream release what they hold,
 * as at any unsubscription.
 */
export function takeUntilAborted<T>(signal: AbortSignal): MonoTypeOperatorFunction<T> {
  return source =>
    new Observable(destination => {
      destination.add(onAbort(signal, () => destination.complete()))
      if (!destination.closed) source.subscribe(destination)
    })
}
