// What all ways out of RxJS have in common: it subscribes to bursts, takes a lease on each, keeps them in order until they
// are asked for, and remembers every lease until it is released. It knows neither streams nor iterators.
//
// Backpressure. It keeps whatever comes; that is bounded, since all of it is under lease: the source stops when its credit
//   is used up, and the guest's ring fills.
// An early end. Streams keep what they were given in buffers of their own (a Writable's, a Transform's, a tee's) and
//   drop it without a word when they are destroyed. So the intake takes back all that is open, whoever has it.
import type { Observable } from 'rxjs'
import { Subscription } from 'rxjs'
import { onAbort } from '../abort.js'
import { VhostError } from '../errors.js'
import { Burst, type HeldBurst, ownBurst, revoke } from '../packet/burst.js'

/** What every bridge out of a pipeline can be told. */
export interface BridgeOptions {
  /** Ends the bridge early: everything that is open is released. */
  signal?: AbortSignal
}

/** How the source ended. */
export interface Outcome {
  failed: boolean
  /** It was ended from this side. */
  early: boolean
  error?: unknown
}

/** Handed-out places at the front of the list before it is moved up. */
const COMPACT_AT = 64

export class Intake {
  readonly #source: Observable<Burst>
  readonly #name: string
  readonly #changed: () => void
  readonly #running = new Subscription()
  /** Leases that were not released, those that nobody asked for yet among them. */
  readonly #open = new Set<HeldBurst>()
  readonly #waiting: HeldBurst[] = []
  /** Where `#waiting` begins. */
  #head = 0
  #started = false
  #outcome: Outcome | undefined

  /** `name`: shows in `stalled` events. `changed`: something may be there, or it ended, or the last lease came back. */
  constructor(source: Observable<Burst>, name: string, changed: () => void) {
    this.#source = source
    this.#name = name
    this.#changed = changed
  }

  /** Subscribes, at the first call; `signal` is heeded from then on. */
  start(signal?: AbortSignal): void {
    if (this.#started) return
    this.#started = true
    this.#running.add(onAbort(signal, () => this.#abort(signal?.reason)))
    if (this.#outcome !== undefined) return
    this.#running.add(
      this.#source.subscribe({
        next: burst => this.#keep(burst),
        error: error => this.#end({ failed: true, early: false, error }),
        complete: () => this.#end({ failed: false, early: false }),
      }),
    )
  }

  /** The oldest burst that nobody has; it is the caller's to release. */
  take(): HeldBurst | undefined {
    if (this.#head === this.#waiting.length) return undefined
    const held = this.#waiting[this.#head++]
    if (this.#head === COMPACT_AT || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    return held
  }

  /** How the source ended, once all that came before is taken. */
  get outcome(): Outcome | undefined {
    return this.#head === this.#waiting.length ? this.#outcome : undefined
  }

  /** Are leases out that were not released yet? */
  get owed(): boolean {
    return this.#open.size > 0
  }

  /** Nobody wants more: unsubscribes and takes back what is open. Nothing is left to do after an orderly end. */
  stop(): void {
    this.#started = true
    this.#outcome ??= { failed: false, early: true }
    this.#drop()
    for (const held of this.#open) revoke(held)
  }

  /** After an orderly end: who has leases keeps them. */
  letGo(): void {
    this.#running.unsubscribe()
    this.#open.clear()
  }

  /** One of ours was released. */
  released(lease: object): void {
    this.#open.delete(lease as HeldBurst)
    if (this.#outcome !== undefined && this.#open.size === 0) this.#changed()
  }

  #keep(burst: Burst): void {
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
    if (this.#outcome?.failed === false && !this.owed) return
    this.#outcome = { failed: true, early: true, error }
    this.#drop()
    this.#changed()
  }

  /** Unsubscribes, and releases what nobody has yet. */
  #drop(): void {
    this.#running.unsubscribe()
    const rest = this.#waiting.splice(0).slice(this.#head)
    this.#head = 0
    for (const held of rest) held.release()
  }
}
