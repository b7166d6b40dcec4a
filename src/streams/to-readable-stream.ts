// Bursts as a ReadableStream of the web. Its place: the end of a pipeline, the start of pipeTo(). It knows nothing of who
// reads. As in to-readable.ts, its highWaterMark is 0: what waits does so in the intake.
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
 * **Leases.** Each burst belongs to whoever reads it, who releases it. The stream buffers nothing itself; what was not read
 * is under lease, so a slow reader uses up the source's credit, and the guest slows down. `cancel()`, an error at the other
 * end of a pipe or an abort takes back all that is open, also what is in the queues of the streams behind; a `release()`
 * after that does nothing. For that reason it closes, or fails with the source's error, only once all that it gave has been
 * released.
 *
 * Not for `tee()`, whose two branches would release each burst twice: make two streams out of a `share()` instead.
 *
 * @param source Bursts, of a queue or behind operators.
 * @param options With a `signal`, when it is aborted: the stream fails with `signal.reason`.
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
        // Calls pull() if somebody waits for one more.
        controller.enqueue(held)
        continue
      }
      const { outcome } = intake
      if (outcome === undefined || intake.owed) return
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
