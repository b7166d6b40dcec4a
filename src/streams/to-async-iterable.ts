// Bursts for `for await`, at the end of a pipeline.
import type { Observable } from 'rxjs'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake, type Outcome } from './intake.js'

/**
 * Bursts as an `AsyncIterable`, so that a loop can wait in its body.
 *
 * ```
 * source:    --a--b--c---------d--|
 *            for await (const burst of toAsyncIterable(source)) { await …; burst.release() }
 * the loop:  --[a   ][b   ][c   ][d   ]end
 * ```
 *
 * The loop subscribes at its first step, each loop anew. `break`, `return` and a throw in the body unsubscribe.
 *
 * **Leases.** The loop owns each burst that it gets, and releases it, by `using burst` or in a `finally`. Bursts that wait
 * for the loop are under lease, too, so a slow body uses up the source's credit, and the guest slows down. An early end
 * releases all open leases, also those of the loop; a later `release()` does nothing. When the source completes, the loop
 * still owns the bursts that it has.
 *
 * @param source Bursts, of a queue or behind operators.
 * @param options With a `signal`: when it is aborted, the step that waits, or the next one, throws `signal.reason`. A body that
 *   is running keeps its burst until the loop's next step.
 * @return An iterable. Its loop throws the source's error, after the bursts that came before the error.
 * @example
 * for await (const burst of toAsyncIterable(vm.fromGuest())) {
 *   try {
 *     await save([...burst].map(packet => packet.toBuffer()))
 *   } finally {
 *     burst.release()
 *   }
 * }
 */
export function toAsyncIterable(
  source: Observable<Burst>,
  { signal }: BridgeOptions = {},
): AsyncIterable<HeldBurst> {
  return { [Symbol.asyncIterator]: () => new BurstIterator(source, signal) }
}

type Step = IteratorResult<HeldBurst, undefined>

interface Asked {
  resolve: (step: Step) => void
  reject: (error: unknown) => void
}

const OVER: Step = { done: true, value: undefined }

class BurstIterator implements AsyncIterableIterator<HeldBurst, undefined>, AsyncDisposable {
  readonly #intake: Intake
  readonly #signal: AbortSignal | undefined
  /** Steps that wait, in the order of their calls. */
  readonly #asked: Asked[] = []
  /** The loop has been told how the source ended. */
  #told = false

  constructor(source: Observable<Burst>, signal: AbortSignal | undefined) {
    this.#intake = new Intake(source, 'toAsyncIterable()', () => this.#serve())
    this.#signal = signal
  }

  next(): Promise<Step> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject })
      this.#intake.start(this.#signal)
      this.#serve()
    })
  }

  return(): Promise<Step> {
    this.#told = true
    this.#intake.stop()
    this.#serve()
    return Promise.resolve(OVER)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #serve(): void {
    const intake = this.#intake
    while (this.#asked.length > 0) {
      const value = intake.take()
      if (value !== undefined) this.#asked.shift()?.resolve({ done: false, value })
      else if (intake.outcome !== undefined) this.#end(this.#asked.shift(), intake.outcome)
      else return
    }
  }

  #end(asked: Asked | undefined, { failed, early, error }: Outcome): void {
    const tell = failed && !this.#told
    this.#told = true
    if (early) this.#intake.stop()
    else this.#intake.finish()
    if (tell) asked?.reject(error)
    else asked?.resolve(OVER)
  }
}
