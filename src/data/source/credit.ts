// The credit of a from-guest queue: its account in the pool, and waiting for credit to come back.
//
// The account is opened when a ring first needs it. While the queue is idle the account is closed, which gives its reserve
// back to the pool; the next ring opens another. A closed account keeps its number until its last packet is released.
import type { DataPlane } from '../plane.js'
import { NO_ACCOUNT } from '../pool/accounts.js'
import { CREDIT } from '../ring/port.js'
import { CREDIT_BYTES, CREDIT_PACKETS, type SourceOptions, type Stalled } from './options.js'
import { StallWatch } from './stall-watch.js'

/** Large slots reserved for each queue, besides one burst of small ones: a few segmentation-offload frames. */
const LARGE_RESERVE = 4

/** The queue that the credit belongs to. */
export interface CreditUser {
  /** There is credit again: dequeue. */
  ready(): void
  /** There was no credit for a while, and nothing was released. */
  stalled(stalled: Stalled): void
}

export class Credit {
  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #burst: number
  readonly #user: CreditUser
  readonly #drops: Record<string, number>
  #account = NO_ACCOUNT
  /** The account is closed, and some of its packets are still under lease. */
  #closing = false
  // Both are made when credit runs out for the first time.
  #resume: (() => void) | undefined
  #watch: StallWatch | undefined

  /** `burst`: packets of one burst; `drops`: where drops of packets that are charged to this queue are counted. */
  constructor(
    plane: DataPlane,
    options: SourceOptions,
    burst: number,
    drops: Record<string, number>,
    user: CreditUser,
  ) {
    this.#plane = plane
    this.#options = options
    this.#burst = burst
    this.#drops = drops
    this.#user = user
  }

  /** Packets under lease. */
  get held(): number {
    return this.#account === NO_ACCOUNT ? 0 : this.#plane.pool.accounts.packets(this.#account)
  }

  get isOpen(): boolean {
    return this.#account !== NO_ACCOUNT && !this.#closing
  }

  /** Opens the account if it is not open; returns its number. */
  open(): number {
    if (this.isOpen) return this.#account
    this.#closing = false
    const packets = this.#options.highWaterMark ?? CREDIT_PACKETS
    this.#account = this.#plane.pool.accounts.open({
      packets,
      bytes: this.#options.highWaterBytes ?? CREDIT_BYTES,
      smallReserve: Math.min(this.#burst, packets),
      largeReserve: LARGE_RESERVE,
      drops: this.#drops,
    })
    return this.#account
  }

  /** The queue is idle: closes the account until open() is called again. */
  idle(): void {
    if (!this.isOpen) return
    const account = this.#account
    this.#closing = true
    this.#plane.pool.accounts.close(account, () => {
      if (this.#account === account) this.#account = NO_ACCOUNT
    })
  }

  /** Closes the account for good. */
  close(): void {
    if (this.isOpen) this.#plane.pool.accounts.close(this.#account)
  }

  /** dequeue() returned CREDIT or NO_SLOT in `result`: calls `ready` once there is credit, or a slot, again. */
  wait(result: number): void {
    const { pool, timers } = this.#plane
    this.#resume ??= () => this.#user.ready()
    if (result & CREDIT) pool.accounts.whenHalf(this.#account, this.#resume)
    else pool.whenFreed(this.#resume)
    this.#watch ??= new StallWatch(pool, stalled => this.#user.stalled(stalled), timers)
    this.#watch.begin(this.#account)
  }

  /** The queue looks at its ring again. */
  endWait(): void {
    this.#watch?.end()
  }

  /** Nobody wants packets any more. */
  stopWatching(): void {
    this.#watch?.stop()
  }
}
