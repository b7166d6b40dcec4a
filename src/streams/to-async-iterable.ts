// Converts the bursts of a pipeline to an async iterable, for `for await`.
import type { Observable } from 'rxjs'
import type { Burst, HeldBurst } from '../packet/burst.js'
import { type BridgeOptions, Intake, type Outcome } from './intake.js'

/**
 * Converts bursts to an `AsyncIterable`, so that the body of a loop can `await`.
 *
 * ```
 * source:    --a--b--c---------d--|
 *            for await (const burst of toAsyncIterable(source)) { await …; burst.release() }
 * the loop:  --[a   ][b   ][c   ][d   ]end
 * ```
 *
 * Each loop subscribes at its first step. `break`, `return` and a throw in the body unsubscribe.
 *
 * **Leases.** The loop owns each burst that it gets and must release it, with `using burst` or in a `finally`. Bursts
 * that are queued for the loop are also under lease. So a slow body uses up the source's credit, and the guest slows
 * down. An early end releases all open leases, including those of the loop. A later `release()` does nothing. When the
 * source completes, the loop still owns the bursts that it has.
 *
 * @param source A source of bursts: a queue, or operators after a queue.
 * @param options When `signal` is aborted, the pending step of the loop, or the next one, throws `signal.reason`. If
 *   the body is running, its burst stays valid until the next step.
 * @return An iterable. If the source fails, the loop first gets the bursts before the error, then throws the error.
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

interface PendingStep {
  resolve: (step: Step) => void
  reject: (error: unknown) => void
}

const OVER: Step = { done: true, value: undefined }

class BurstIterator implements AsyncIterableIterator<HeldBurst, undefined>, AsyncDisposable {
  readonly #intake: Intake
  readonly #signal: AbortSignal | undefined
  /** Calls of next() whose promises are pending, oldest first. */
  readonly #pending: PendingStep[] = []
  /** The loop has ended, so it must not get the source's error any more. */
  #ended = false

  constructor(source: Observable<Burst>, signal: AbortSignal | undefined) {
    this.#intake = new Intake(source, 'toAsyncIterable()', () => this.#serve())
    this.#signal = signal
  }

  next(): Promise<Step> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject })
      this.#intake.start(this.#signal)
      this.#serve()
    })
  }

  return(): Promise<Step> {
    this.#ended = true
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
    while (this.#pending.length > 0) {
      const value = intake.take()
      if (value !== undefined) this.#pending.shift()?.resolve({ done: false, value })
      else if (intake.outcome !== undefined) this.#end(this.#pending.shift(), intake.outcome)
      else return
    }
  }

  #end(step: PendingStep | undefined, { failed, early, error }: Outcome): void {
    const rejects = failed && !this.#ended
    this.#ended = true
    if (early) this.#intake.stop()
    else this.#intake.finish()
    if (rejects) step?.reject(error)
    else step?.resolve(OVER)
  }
}
