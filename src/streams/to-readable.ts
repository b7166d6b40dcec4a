// Bursts as a Readable of Node, between a pipeline of RxJS and pipeline().
//
// The highWaterMark is 0: bursts wait in the intake, so that _read() is called only when none is left in the stream, and an
// error can't overtake the bursts before it.
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
 * **Leases.** The reader owns each burst that it reads, and releases it. The stream itself buffers nothing; bursts that were
 * not read are under lease, so a slow reader uses up the source's credit, and the guest slows down. `destroy()`, an error in
 * a `pipeline()` or an abort releases all open leases, also those in the buffers of streams downstream; a later `release()`
 * does nothing. For that reason the stream ends, or fails with the source's error, only once all bursts that were read are
 * released: a program that collects bursts until `'end'` waits for ever.
 *
 * One reader: two would release each burst twice. Make two of them out of a `share()` instead.
 *
 * @param source Bursts, of a queue or behind operators.
 * @param options With a `signal`: when it is aborted, the stream is destroyed with an `AbortError`.
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
    // Not in the options: a signal that is already aborted calls _destroy() at once, before the fields are set.
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
        // The reader may read the next one from inside push().
        const more = this.push(held)
        this.#wanted ||= more
        continue
      }
      const { outcome } = intake
      if (outcome === undefined || intake.hasOpen) return
      this.#wanted = false
      if (outcome.failed)
        this.destroy((outcome.error as Error) || new Error('the source failed and did not say why'))
      else this.push(null)
    }
  }
}
