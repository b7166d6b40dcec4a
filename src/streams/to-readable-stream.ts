// Converts the bursts of an RxJS pipeline to a web ReadableStream. As in to-readable.ts, the highWaterMark is 0, so
// that bursts are queued in the intake.
import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web'
import type { Observable } from 'rxjs'
import { onAbort } from '../abort.js'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake } from './intake.js'

/**
 * Converts bursts to a web `ReadableStream`, for `pipeTo()` and `pipeThrough()`.
 *
 * ```
 * source:    --a--b--c-----d--|
 *            toReadableStream(source).pipeTo(slow)
 * slow:      --[a   ][b   ][c   ][d   ]
 * closed:    -------------------------|      after d is released
 * ```
 *
 * The stream subscribes at the first read.
 *
 * **Leases.** The reader owns each burst that it reads and must release it. Bursts that are not read yet are queued
 * under lease. So a slow reader uses up the source's credit, and the guest slows down. `cancel()`, an error at the
 * other end of a pipe and an abort release all open leases, including those of bursts in the queues of downstream
 * streams. A later `release()` does nothing. The stream can release leases only while it is open. So it
 * closes, or fails with the source's error, only after all bursts that were read are released.
 *
 * Do not use `tee()`, because its two branches would release each burst twice. Create two streams from one `share()`
 * instead.
 *
 * @param source A source of bursts: a queue, or operators after a queue.
 * @param options When `signal` is aborted, the stream fails with `signal.reason`.
 */
export function toReadableStream(
  source: Observable<Burst>,
  { signal }: BridgeOptions = {},
): ReadableStream<HeldBurst> {
  let controller: ReadableStreamDefaultController<HeldBurst>
  let wanted = false
  let forget = (): void => {}
  const intake = new Intake(source, 'toReadableStream()', serve)

  function serve(): void {
    while (wanted) {
      const held = intake.take()
      if (held !== undefined) {
        wanted = false
        // enqueue() calls pull() if another read is pending.
        controller.enqueue(held)
        continue
      }
      const { outcome } = intake
      if (outcome === undefined || intake.hasOpen) return
      wanted = false
      forget()
      if (outcome.failed) controller.error(outcome.error)
      else controller.close()
    }
  }

  return new ReadableStream<HeldBurst>(
    {
      start(own) {
        controller = own
        forget = onAbort(signal, () => {
          wanted = false
          intake.stop()
          controller.error(signal?.reason)
        })
      },
      pull() {
        wanted = true
        intake.start()
        serve()
      },
      cancel() {
        wanted = false
        forget()
        intake.stop()
      },
    },
    { highWaterMark: 0 },
  )
}
