// Work of processPackets that takes its time: promises and Observables, and what they say at last. It knows no order and no
// bursts. For a promise nothing is made but what `then` itself makes.
import { isObservable, type Observable, type Subscription } from 'rxjs'
import { SourceSubscriber } from '../shared/operator.js'
import { type Job, type Judge, type Later, settle, type Verdict } from './job.js'

/** What work threw. */
export type Failure = { error: unknown } | undefined

// Calls one of its callbacks, once, and later; a thenable may do as it likes.
const isPromise = (result: PromiseLike<unknown>): boolean =>
  Object.getPrototypeOf(result) === Promise.prototype && result.then === Promise.prototype.then

// Not in wait(): what a closure captures is an object for each call, also where that closure is not made.
const promiseOf = (result: PromiseLike<Verdict>): Promise<Verdict> => new Promise(resolve => resolve(result))

export class PendingWork implements Judge {
  /** How much of it there is. */
  count = 0

  /** `out`: with it, all ends. `conclude` is told when a job is over, and whether more may be in the same breath. */
  constructor(
    readonly out: Subscription,
    readonly conclude: (job: Job, failure: Failure, together: boolean) => void,
  ) {}

  /** `result` will have the verdict. Throws what failed at once. */
  wait(job: Job, result: Later): void {
    // The work has ended the subscription: nobody wants the verdict. Only a promise is heard, lest its rejection be unhandled.
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
    promise.then(job.keep, job.fail)
  }

  #watch(job: Job, result: Observable<Verdict>): void {
    const one = new VerdictSubscriber(this, job)
    this.out.add(result.subscribe(one))
    one.atOnce = false
    if (one.failure !== undefined) throw one.failure.error
    job.later = job.working
  }

  // These two for promises. Nothing if it was unsubscribed meanwhile.

  keep(job: Job, verdict: Verdict): void {
    if (job.working) this.conclude(job, this.judge(job, false, verdict), true)
  }

  fail(job: Job, error: unknown): void {
    if (job.working) this.conclude(job, this.judge(job, true, error), true)
  }

  /** The work is over: `value` is the verdict, or why it failed. */
  judge(job: Job, failed: boolean, value: unknown): Failure {
    job.working = false
    this.count--
    if (failed) return { error: value }
    try {
      settle(job, value as Verdict)
    } catch (error) {
      return { error }
    }
    return undefined
  }
}

// The first that an Observable emits is the verdict.
class VerdictSubscriber extends SourceSubscriber<Verdict> {
  /** One that has its verdict at once is part of the burst in hand. */
  atOnce = true
  failure: Failure
  /** It may be another packet's by the time that something comes which does not count. */
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
