// The base of all bridges out of RxJS. It subscribes to bursts, takes a lease on each burst, and queues the bursts in
// order until the bridge takes them. It records every lease until the lease is released.
//
// Backpressure. The queue has no limit, but all bursts in it are under lease. So the source stops when its credit is
// used up, and then the guest's ring fills.
//
// Early end. Streams (a Writable, a Transform, a tee) have buffers, and a destroyed stream drops the bursts in its
// buffer silently. So when a bridge ends early, the intake releases all open leases, even leases that a stream or the
// reader owns.
import type { Observable } from 'rxjs'
import { Subscription } from 'rxjs'
import { onAbort } from '../abort.js'
import { VhostError } from '../errors.js'
import { Burst, type HeldBurst, ownBurst, revoke } from '../packet/burst.js'

/** Options of every bridge out of a pipeline. */
export interface BridgeOptions {
  /** When the signal is aborted, the bridge ends early and releases all open leases. */
  signal?: AbortSignal
}

/** How the source ended. */
export interface Outcome {
  failed: boolean
  /** The bridge ended early: it unsubscribed before the source completed. */
  early: boolean
  error?: unknown
}

/** Number of bursts taken from the front of the list after which the list is compacted. */
const COMPACT_AT = 64

export class Intake {
  readonly #source: Observable<Burst>
  readonly #name: string
  readonly #changed: () => void
  readonly #running = new Subscription()
  /** All open leases, including those in `#waiting`. */
  readonly #open = new Set<HeldBurst>()
  /** The queue. Entries before `#head` are already taken. */
  readonly #waiting: HeldBurst[] = []
  #head = 0
  #started = false
  #outcome: Outcome | undefined

  /**
   * @param name The name of the holder in `stalled` events.
   * @param changed Called when a burst has arrived, when the source has ended, and when the last lease is released
   *   after the end.
   */
  constructor(source: Observable<Burst>, name: string, changed: () => void) {
    this.#source = source
    this.#name = name
    this.#changed = changed
  }

  /** Subscribes to the source at the first call. Later calls do nothing. An abort of `signal` ends the intake. */
  start(signal?: AbortSignal): void {
    if (this.#started) return
    this.#started = true
    this.#running.add(onAbort(signal, () => this.#abort(signal?.reason)))
    if (this.#outcome !== undefined) return
    this.#running.add(
      this.#source.subscribe({
        next: burst => this.#push(burst),
        error: error => this.#end({ failed: true, early: false, error }),
        complete: () => this.#end({ failed: false, early: false }),
      }),
    )
  }

  /** Takes the oldest burst out of the queue. The caller must release it. */
  take(): HeldBurst | undefined {
    if (this.#head === this.#waiting.length) return undefined
    const held = this.#waiting[this.#head++]
    if (this.#head === COMPACT_AT || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    return held
  }

  /** How the source ended. `undefined` while the source runs or the queue still has bursts. */
  get outcome(): Outcome | undefined {
    return this.#head === this.#waiting.length ? this.#outcome : undefined
  }

  /** Whether there are open leases. */
  get hasOpen(): boolean {
    return this.#open.size > 0
  }

  /** Ends the intake early: unsubscribes and releases all open leases. Does nothing after finish(). */
  stop(): void {
    this.#started = true
    this.#outcome ??= { failed: false, early: true }
    this.#drop()
    for (const held of this.#open) revoke(held)
  }

  /** Call it after the source has ended. The holders keep their open leases. */
  finish(): void {
    this.#running.unsubscribe()
    this.#open.clear()
  }

  /** Called when a lease of this intake was released. */
  released(lease: object): void {
    this.#open.delete(lease as HeldBurst)
    if (this.#outcome !== undefined && this.#open.size === 0) this.#changed()
  }

  #push(burst: Burst): void {
    if (!(burst instanceof Burst)) {
      const fix = 'emit bursts, not packets; after retain() add the operator release() before the bridge'
      const message = 'the source emitted a value that is not a borrowed burst'
      this.#abort(new VhostError('ERR_VHOST_INVALID_ARGUMENT', message, { fix }))
      return
    }
    const held = burst.retain(this.#name)
    ownBurst(held, this)
    this.#open.add(held)
    this.#waiting.push(held)
    this.#changed()
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#changed()
  }

  #abort(error: unknown): void {
    if (this.#outcome?.failed === false && !this.hasOpen) return
    this.#outcome = { failed: true, early: true, error }
    this.#drop()
    this.#changed()
  }

  /** Unsubscribes and releases the bursts in the queue. */
  #drop(): void {
    this.#running.unsubscribe()
    const rest = this.#waiting.splice(0).slice(this.#head)
    this.#head = 0
    for (const held of rest) held.release()
  }
}
