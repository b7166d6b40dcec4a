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
 * Like rxjs `takeUntil`, and if `signal` is aborted already, it does not subscribe at all.
 *
 * **Leases.** Takes none. What nobody was given stays with the queue; operators in front of it that keep bursts release
 * them, as with any unsubscription.
 */
export function takeUntilAborted<T>(signal: AbortSignal): MonoTypeOperatorFunction<T> {
  return source =>
    new Observable(destination => {
      destination.add(onAbort(signal, () => destination.complete()))
      if (!destination.closed) source.subscribe(destination)
    })
}
