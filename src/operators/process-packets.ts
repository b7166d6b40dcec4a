import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs'
import { type Burst, type BurstCore, cutBefore, failAt } from '../packet/burst.js'
import { type Packet, slotOf, slotsOf } from '../packet/packet.js'
import { applyVerdict, isLater, type Job, type Later, type Verdict } from './process-packets/job.js'
import { Jobs } from './process-packets/jobs.js'
import { type Failure, PendingWork } from './process-packets/pending.js'
import { OperatorSubscriber, operator } from './shared/operator.js'

/** How many packets are processed at once, and in which order they are emitted. */
export interface ProcessPacketsOptions {
  /** Packets that are processed at once. Default 64. */
  concurrency?: number
  /** Emit in the order of arrival (default), or in the order of completion. */
  ordered?: boolean
}

/**
 * Calls `work` with each packet, which may be asynchronous, for a bounded number of packets at once. Emits a packet when
 * its work is done; packets whose work is done at the same time are emitted as one burst.
 *
 * ```
 * source:   --(1 2 3)---------(4)------|
 *           processPackets(p => lookUp(p), { concurrency: 2 })
 * result:   -------(1 2)--(3)-------(4)|
 * ```
 *
 * **Leases.** Takes one on each packet from its arrival until the `next` that emits it returns. So a slow `work` uses up
 * the queue's credit, and the guest slows down: that is the backpressure, and the bound. After an error or an
 * unsubscription every lease is released, once, and packets that were not emitted are counted as `unsubscribed`.
 *
 * If `work` throws or its promise is rejected, its packet is dropped and counted as `pipeline-error`, the packets before it
 * whose work is done are emitted, and the subscription fails, which ends the work on all others. Catch errors in `work` if
 * they should not end the subscription.
 *
 * @param work Gets a packet, which it may read until its promise is fulfilled or its Observable has emitted, and a signal
 * that is aborted when the subscription ends before the work: pass it on to `fetch`, a timer, a child process.
 * @throws RangeError when `concurrency` is less than 1.
 * @example
 * guest.fromGuest().pipe(processPackets(async p => (await allowed(p.uint32(26))), { concurrency: 32 }), enqueue(to))
 */
export function processPackets<T extends Burst | Packet = Burst>(
  work: (packet: Packet, signal: AbortSignal) => Verdict | Later,
  { concurrency = 64, ordered = true }: ProcessPacketsOptions = {},
): MonoTypeOperatorFunction<T> {
  if (!(concurrency >= 1)) throw new RangeError(`concurrency ${concurrency} lets no packet through`)
  return operator(out => new ProcessSubscriber(out, work, concurrency, ordered))
}

class ProcessSubscriber extends OperatorSubscriber {
  readonly #pending: PendingWork
  readonly #jobs: Jobs
  readonly #abort = new AbortController()
  #completed = false
  #emitting = false
  #flushSoon = false
  readonly #soon = (): void => {
    this.#flushSoon = false
    this.#flush()
  }

  constructor(
    out: Subscriber<Burst | Packet>,
    readonly work: (packet: Packet, signal: AbortSignal) => Verdict | Later,
    readonly concurrency: number,
    readonly ordered: boolean,
  ) {
    super(out)
    this.#pending = new PendingWork(out, (job, failure, together) => this.#conclude(job, failure, together))
    this.#jobs = new Jobs(this.#pending)
    // Added to `out`, since packets are processed after the source has completed.
    out.add(() => {
      // All leases are released before `work` sees the signal.
      if (this.#jobs.releaseAll()) this.#abort.abort()
    })
  }

  protected override onComplete(): void {
    this.#completed = true
    // Before this emits: work and what follows find the source unsubscribed.
    this.unsubscribe()
    this.#flush()
  }

  protected onBurst(_: Burst, input: BurstCore): void {
    let failure: Failure
    let first: Job | null = null
    let at = 0
    for (; at < input.length && failure === undefined; at++) {
      const job = this.#jobs.admit(input.slots, input.ids[at], input)
      first ??= job
      failure = this.#start(job)
      if (!this.out.closed) continue
      cutBefore(input, 0)
      return
    }
    this.#jobs.received(first, input)
    if (failure === undefined) {
      this.#flush()
      return
    }
    this.#emit()
    if (this.out.closed) cutBefore(input, at - 1)
    else {
      failAt(input, at - 1)
      this.out.error(failure.error)
    }
  }

  protected onPacket(packet: Packet): void {
    const failure = this.#start(this.#jobs.admit(slotsOf(packet), slotOf(packet), null))
    if (failure === undefined) {
      this.#flush()
      return
    }
    this.#emit()
    this.failPacket(failure.error)
  }

  // Starts work on waiting packets, up to the bound. If the work on `own`, which has just arrived, throws, its job is removed,
  // and the caller counts the packet.
  #start(own: Job | null): Failure {
    while (this.#pending.count < this.concurrency && !this.out.closed) {
      const job = this.#jobs.begin()
      if (job === null) break
      try {
        const result = this.work(job.begin(), this.#abort.signal)
        if (isLater(result)) this.#pending.wait(job, result)
        else if (!job.released) applyVerdict(job, result)
      } catch (error) {
        // The work ended the subscription before it threw.
        if (job.released) break
        if (job !== own) this.#fail(job, error)
        else {
          this.#jobs.remove(job)
          return { error }
        }
      }
    }
    return undefined
  }

  // `together`: the verdict is a promise's. Packets whose promises are fulfilled in the same turn are emitted as one burst,
  // from a microtask. An Observable's verdict is emitted at once, since it may be in virtual time.
  #conclude(job: Job, failure: Failure, together: boolean): void {
    if (failure !== undefined && !job.released) {
      this.#fail(job, failure.error)
      return
    }
    this.#start(null)
    if (!together) this.#flush()
    else if (!this.#flushSoon) {
      this.#flushSoon = true
      queueMicrotask(this.#soon)
    }
  }

  #fail(job: Job, error: unknown): void {
    // The queue of a burst that is being received counts the packet itself.
    if (job.hand === null) job.slots.dropped(job.slot, 'pipeline-error')
    this.#jobs.remove(job)
    try {
      this.#emit()
    } finally {
      this.out.error(error)
    }
  }

  // Packets whose work is done while this emits are emitted afterwards, also if that is from inside `next`.
  #flush(): void {
    if (this.#emitting) return
    this.#emitting = true
    try {
      this.#emit()
    } finally {
      this.#emitting = false
    }
    if (this.#completed && this.#jobs.size === 0) this.out.complete()
  }

  // Emits the packets whose work is done; if `ordered`, only those before the first whose work is not. Called from inside
  // `next` only for a failure, which does not wait for that `next`.
  #emit(): void {
    while (!this.out.closed) {
      this.#jobs.makeReady(this.ordered)
      try {
        if (!this.#jobs.emit(this.out)) return
      } catch (error) {
        this.#jobs.dropReady('pipeline-error')
        throw error
      }
    }
  }
}
