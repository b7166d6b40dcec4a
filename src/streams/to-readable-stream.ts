// Bursts as a ReadableStream of the web, between a pipeline and pipeTo(). As in to-readable.ts, the highWaterMark is 0: bursts
// wait in the intake.
import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web'
import type { Observable } from 'rxjs'
import { onAbort } from '../abort.js'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake } from './intake.js'

/**
 * Bursts as a `ReadableStream`, for `pipeTo()` and `pipeThrough()`.
 *
 * ```
 * source:    --a--b--c-----d--|
 *            toReadableStream(source).pipeTo(slow)
 * slow:      --[a   ][b   ][c   ][d   ]
 * closed:    -------------------------|      once d was released
 * ```
 *
 * Subscribes at the first read.
 *
 * **Leases.** The reader owns each burst that it reads, and releases it. The stream itself buffers nothing; bursts that were
 * not read are under lease, so a slow reader uses up the source's credit, and the guest slows down. `cancel()`, an error at
 * the other end of a pipe or an abort releases all open leases, also those in the queues of streams downstream; a later
 * `release()` does nothing. For that reason the stream closes, or fails with the source's error, only once all bursts that
 * were read are released.
 *
 * Not for `tee()`, whose two branches would release each burst twice: make two streams out of a `share()` instead.
 *
 * @param source Bursts, of a queue or behind operators.
 * @param options With a `signal`: when it is aborted, the stream fails with `signal.reason`.
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
        // Calls pull() if a read waits for one more.
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
