// The base of all bridges out of RxJS: subscribes to bursts, takes a lease on each, queues them in order until the bridge
// takes them, and records every lease until it is released.
//
// Backpressure. The queue has no limit of its own, but all of it is under lease: the source stops when its credit is used up,
//   and the guest's ring fills.
// An early end. Streams have buffers of their own (of a Writable, a Transform, a tee), and drop them silently when they are
//   destroyed. So the intake then releases every open lease itself, whoever holds it.
import type { Observable } from 'rxjs'
import { Subscription } from 'rxjs'
import { onAbort } from '../abort.js'
import { VhostError } from '../errors.js'
import { Burst, type HeldBurst, ownBurst, revoke } from '../packet/burst.js'

/** Options of every bridge out of a pipeline. */
export interface BridgeOptions {
  /** Ends the bridge early: all open leases are released. */
  signal?: AbortSignal
}

/** How the source ended. */
export interface Outcome {
  failed: boolean
  /** The bridge ended it. */
  early: boolean
  error?: unknown
}

/** Taken places at the front of the list before the list is compacted. */
const COMPACT_AT = 64

export class Intake {
  readonly #source: Observable<Burst>
  readonly #name: string
  readonly #changed: () => void
  readonly #running = new Subscription()
  /** All open leases, also those in `#waiting`. */
  readonly #open = new Set<HeldBurst>()
  readonly #waiting: HeldBurst[] = []
  /** Where `#waiting` begins. */
  #head = 0
  #started = false
  #outcome: Outcome | undefined

  /** `name`: the holder in `stalled` events. `changed`: called when a burst came, the source ended, or the last lease was released. */
  constructor(source: Observable<Burst>, name: string, changed: () => void) {
    this.#source = source
    this.#name = name
    this.#changed = changed
  }

  /** Subscribes, at the first call. From then on an abort of `signal` ends it. */
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

  /** Takes the oldest burst of the queue; the caller releases it. */
  take(): HeldBurst | undefined {
    if (this.#head === this.#waiting.length) return undefined
    const held = this.#waiting[this.#head++]
    if (this.#head === COMPACT_AT || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    return held
  }

  /** How the source ended, once all bursts before are taken. */
  get outcome(): Outcome | undefined {
    return this.#head === this.#waiting.length ? this.#outcome : undefined
  }

  /** Are there open leases? */
  get hasOpen(): boolean {
    return this.#open.size > 0
  }

  /** Ends early: unsubscribes, and releases all open leases. Does nothing after finish(). */
  stop(): void {
    this.#started = true
    this.#outcome ??= { failed: false, early: true }
    this.#drop()
    for (const held of this.#open) revoke(held)
  }

  /** After the source has ended: open leases stay with their holders. */
  finish(): void {
    this.#running.unsubscribe()
    this.#open.clear()
  }

  /** A lease of this intake was released. */
  released(lease: object): void {
    this.#open.delete(lease as HeldBurst)
    if (this.#outcome !== undefined && this.#open.size === 0) this.#changed()
  }

  #push(burst: Burst): void {
    if (!(burst instanceof Burst)) {
      const fix = 'bridge bursts, not packets, and put release() behind what was retained'
      this.#abort(new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'this is no borrowed burst', { fix }))
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

  /** Unsubscribes, and releases the bursts in the queue. */
  #drop(): void {
    this.#running.unsubscribe()
    const rest = this.#waiting.splice(0).slice(this.#head)
    this.#head = 0
    for (const held of rest) held.release()
  }
}
