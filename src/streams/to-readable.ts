// Converts the bursts of an RxJS pipeline to a Node.js Readable.
//
// The highWaterMark is 0, so that bursts are queued in the intake and not in the stream. Then _read() is called only
// when the stream is empty, and so the reader gets all bursts before an error.
import { addAbortSignal, Readable } from 'node:stream'
import type { Observable } from 'rxjs'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake } from './intake.js'

/** A Readable in object mode. Each object is a burst. */
export type ReadableOfBursts = AsyncIterable<HeldBurst> & Readable

/**
 * Converts bursts to a Node.js `Readable`, for `pipeline()` and `for await`.
 *
 * ```
 * source:    --a--b--c-----d--|
 *            pipeline(toReadable(source), slow)
 * slow:      --[a   ][b   ][c   ][d   ]
 * 'end':     -------------------------|      after d is released
 * ```
 *
 * The stream subscribes at the first read.
 *
 * **Leases.** The reader owns each burst that it reads and must release it. Bursts that are not read yet are queued
 * under lease. So a slow reader uses up the source's credit, and the guest slows down. `destroy()`, an error in a
 * `pipeline()` and an abort release all open leases, including those of bursts in the buffers of downstream streams. A
 * later `release()` does nothing. The stream can release leases only while it is open. So it ends, or
 * fails with the source's error, only after all bursts that were read are released. A program that collects bursts
 * until `'end'` without releasing them waits forever.
 *
 * Use only one reader, because two readers would release each burst twice. For two readers, create two streams from one
 * `share()`.
 *
 * @param source A source of bursts: a queue, or operators after a queue.
 * @param options When `signal` is aborted, the stream is destroyed with an `AbortError`.
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
    // The signal is not passed to super(): if it is already aborted, super() calls _destroy() before the fields are
    // set.
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
        // push() may call the reader, which may read the next burst and so call _read() again.
        const more = this.push(held)
        this.#wanted ||= more
        continue
      }
      const { outcome } = intake
      if (outcome === undefined || intake.hasOpen) return
      this.#wanted = false
      if (outcome.failed)
        this.destroy((outcome.error as Error) || new Error('the source failed without an error object'))
      else this.push(null)
    }
  }
}
