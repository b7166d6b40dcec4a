// A queue's account in the pool, over its life: opened when a ring first needs it; at rest, which gives its reserve back to
// the pool, while nobody wants packets; opened anew for the next ring. A resting account stays until its last packet is back.

import { CREDIT_BYTES, CREDIT_PACKETS, type SourceOptions } from '../plane.js'
import { NO_ACCOUNT } from '../pool/accounts.js'
import type { Pool } from '../pool/pool.js'

/** Large slots kept back for each queue, besides one burst of small ones: a few segmentation-offload frames. */
const LARGE_RESERVE = 4

export class Credit {
  /** The account's number; NO_ACCOUNT before the first ring. */
  account = NO_ACCOUNT
  #resting = false

  /** `drops`: by reason, of packets that are dropped while they are charged to it. */
  constructor(
    readonly pool: Pool,
    readonly options: SourceOptions,
    readonly burst: number,
    readonly drops: Record<string, number>,
  ) {}

  /** Packets under lease. */
  get held(): number {
    return this.account === NO_ACCOUNT ? 0 : this.pool.accounts.packets(this.account)
  }

  /** Is there an account in use? */
  get isOpen(): boolean {
    return this.account !== NO_ACCOUNT && !this.#resting
  }

  open(): number {
    if (this.isOpen) return this.account
    this.#resting = false
    const packets = this.options.highWaterMark ?? CREDIT_PACKETS
    this.account = this.pool.accounts.open({
      packets,
      bytes: this.options.highWaterBytes ?? CREDIT_BYTES,
      smallReserve: Math.min(this.burst, packets),
      largeReserve: LARGE_RESERVE,
      drops: this.drops,
    })
    return this.account
  }

  rest(): void {
    if (!this.isOpen) return
    const { account } = this
    this.#resting = true
    this.pool.accounts.close(account, () => {
      if (this.account === account) this.account = NO_ACCOUNT
    })
  }

  /** For good. */
  close(): void {
    if (this.isOpen) this.pool.accounts.close(this.account)
  }
}
