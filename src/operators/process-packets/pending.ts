// The asynchronous work of processPackets: waits for the verdicts of promises and Observables. For a promise nothing is
// allocated but what `then` itself allocates.
import { isObservable, type Observable, type Subscription } from 'rxjs'
import { SourceSubscriber } from '../shared/operator.js'
import { applyVerdict, type Job, type Judge, type Later, type Verdict } from './job.js'

/** What `work` threw. */
export type Failure = { error: unknown } | undefined

// A native promise, which calls one of its callbacks, once, and later. Another thenable may do otherwise.
const isPromise = (result: PromiseLike<unknown>): boolean =>
  Object.getPrototypeOf(result) === Promise.prototype && result.then === Promise.prototype.then

// Not inside wait(), where the captured variables would be an allocation for each call, with or without the closure.
const promiseOf = (result: PromiseLike<Verdict>): Promise<Verdict> => new Promise(resolve => resolve(result))

export class PendingWork implements Judge {
  /** Verdicts that are still to come. */
  count = 0

  /** `out` ends the Observables. `conclude` is called when a job is done; `together`: others may be done in the same turn. */
  constructor(
    readonly out: Subscription,
    readonly conclude: (job: Job, failure: Failure, together: boolean) => void,
  ) {}

  /** Waits for the verdict of `result`. Throws the error of an Observable that fails at once. */
  wait(job: Job, result: Later): void {
    // If the work has ended the subscription, the verdict is not used. A promise still gets its callbacks, so that its
    // rejection is not reported as unhandled.
    if (!job.released) {
      this.count++
      job.working = true
    }
    if (isObservable(result)) {
      if (job.working) this.#watch(job, result)
      return
    }
    job.later = true
    const promise = isPromise(result) ? result : promiseOf(result)
    promise.then(job.fulfilled, job.rejected)
  }

  #watch(job: Job, result: Observable<Verdict>): void {
    const one = new VerdictSubscriber(this, job)
    this.out.add(result.subscribe(one))
    one.atOnce = false
    if (one.failure !== undefined) throw one.failure.error
    job.later = job.working
  }

  // Callbacks of promises. They do nothing if the subscription has ended.

  fulfilled(job: Job, verdict: Verdict): void {
    if (job.working) this.conclude(job, this.judge(job, false, verdict), true)
  }

  rejected(job: Job, error: unknown): void {
    if (job.working) this.conclude(job, this.judge(job, true, error), true)
  }

  /** The work is done: `value` is the verdict, or the error if it `failed`. */
  judge(job: Job, failed: boolean, value: unknown): Failure {
    job.working = false
    this.count--
    if (failed) return { error: value }
    try {
      applyVerdict(job, value as Verdict)
    } catch (error) {
      return { error }
    }
    return undefined
  }
}

// The first value of an Observable is the verdict.
class VerdictSubscriber extends SourceSubscriber<Verdict> {
  /** While subscribing: a verdict that comes now belongs to the burst that is being received. */
  atOnce = true
  failure: Failure
  /** Null after the verdict: the job may be another packet's when a further notification comes. */
  #job: Job | null

  constructor(
    readonly pending: PendingWork,
    job: Job,
  ) {
    super()
    this.#job = job
  }

  next(verdict: Verdict): void {
    if (!this.stopped) this.#end(false, verdict)
  }
  protected onError(error: unknown): void {
    this.#end(true, error)
  }
  protected onComplete(): void {
    this.#end(false, undefined)
  }

  #end(failed: boolean, value: unknown): void {
    const job = this.#job
    this.#job = null
    if (job?.working) {
      const failure = this.pending.judge(job, failed, value)
      if (this.atOnce) this.failure = failure
      else this.pending.conclude(job, failure, false)
    }
    this.unsubscribe()
  }
}
