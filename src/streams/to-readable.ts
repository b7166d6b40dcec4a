// Bursts as a Readable of Node. Its place: the end of a pipeline, the start of pipeline(). It knows nothing of who reads.
//
// Its highWaterMark is 0: what waits does so in the intake, so that _read() is called only when nothing is left in the
// stream, and an error that comes after bursts can't overtake them.
import { addAbortSignal, Readable } from 'node:stream'
import type { Observable } from 'rxjs'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake } from './intake.js'

/** A Readable in object mode, each object a burst. */
export type ReadableOfBursts = AsyncIterable<HeldBurst> & Readable

/**
 * Bursts as a `Readable` of Node, for `pipeline()` and `for await`.
 *
 * ```
 * source:    --a--b--c-----d--|
 *            pipeline(toReadable(source), slow)
 * slow:      --[a   ][b   ][c   ][d   ]
 * 'end':     -------------------------|      once d was released
 * ```
 *
 * Subscribes at the first read.
 *
 * **Leases.** Each burst belongs to whoever reads it, who releases it. The stream buffers nothing itself; what was not read
 * is under lease, so a slow reader uses up the source's credit, and the guest slows down. `destroy()`, an error in a
 * `pipeline()` or an abort takes back all that is open, also what is in the buffers of the streams behind; a `release()`
 * after that does nothing. For that reason it ends, or fails with the source's error, only once all that it gave has been
 * released: who collects bursts until `'end'` waits for ever.
 *
 * One reader: two would release each burst twice. Make two of them out of a `share()` instead.
 *
 * @param source Bursts, of a queue or behind operators.
 * @param options With a `signal`, when it is aborted: the stream is destroyed with an `AbortError`.
 */
export function toReadable(source: Observable<Burst>, { signal }: BridgeOptions = {}): ReadableOfBursts {
  return new BurstReadable(source, signal)
}

class BurstReadable extends Readable {
  readonly #intake: Intake
  #wanted = false

  constructor(source: Observable<Burst>, signal: AbortSignal | undefined) {
    super({ objectMode: true, highWaterMark: 0 })
    this.#intake = new Intake(source, 'toReadable()', () => this.#serve())
    // Not in the options: it may be aborted already, and then _destroy() is called at once.
    if (signal) addAbortSignal(signal, this)
  }

  override _read(): void {
    this.#wanted = true
    this.#intake.start()
    this.#serve()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wanted = false
    this.#intake.stop()
    done(error)
  }

  #serve(): void {
    const intake = this.#intake
    while (this.#wanted && !this.destroyed) {
      const held = intake.take()
      if (held !== undefined) {
        this.#wanted = false
        // Inside push() a reader may read on.
        const more = this.push(held)
        this.#wanted ||= more
        continue
      }
      const { outcome } = intake
      if (outcome === undefined || intake.owed) return
      this.#wanted = false
      if (outcome.failed)
        this.destroy((outcome.error as Error) || new Error('the source failed and did not say why'))
      else this.push(null)
    }
  }
}
