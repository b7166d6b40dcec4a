// The slots of the pool that are reserved for each account, so that consumers that hold their packets cannot starve other
// queues. All reserves together are at most half of each class of slots. While there are few queues, each has the reserve that
// it wants; with more, all have equal shares. The other half of the pool is open to all, so that a new queue never finds a
// pool that is all reserved. The addon takes slots by the same words (native/core/net/pool.h).
import { ACCOUNT_RESERVE, ACCOUNT_SMALL, ACCOUNT_WANTED, ACCOUNT_WORDS, RESERVED, SLOTS } from './arrays.js'

/** The fraction of each class of slots that reserves may take. */
const RESERVABLE = 1 / 2
const CLASSES = [0, 1] as const

export class Reserves {
  readonly #words: Uint32Array
  readonly #cursors: Uint32Array
  /** By class: how many accounts want a reserve. */
  readonly #count = [0, 0]
  /** By class: the largest reserve that was ever wanted. */
  readonly #most = [0, 0]
  /** By class: the largest reserve that an account may have now. */
  readonly #share = [0, 0]
  /** The first account that never had a reserve. */
  #end = 0

  constructor(words: Uint32Array, cursors: Uint32Array) {
    this.#words = words
    this.#cursors = cursors
  }

  /** `wanted`: small and large slots for the account. It may get fewer, and more later when other accounts close. */
  open(account: number, wanted: readonly [small: number, large: number]): void {
    this.#end = Math.max(this.#end, account + 1)
    for (const large of CLASSES) {
      this.#words[account * ACCOUNT_WORDS + ACCOUNT_WANTED + large] = wanted[large]
      if (wanted[large] === 0) continue
      this.#count[large]++
      this.#most[large] = Math.max(this.#most[large], wanted[large])
      if (!this.#shareOut(large)) this.#set(account, large)
    }
  }

  close(account: number): void {
    for (const large of CLASSES) {
      const at = account * ACCOUNT_WORDS + ACCOUNT_WANTED + large
      if (this.#words[at] === 0) continue
      this.#words[at] = 0
      this.#count[large]--
      this.#set(account, large)
      this.#shareOut(large)
    }
  }

  /** Slots of the account's reserve that are not leased. */
  unused(account: number, large: number): number {
    const at = account * ACCOUNT_WORDS + large
    const out = this.#words[at + ACCOUNT_SMALL]
    const reserve = this.#words[at + ACCOUNT_RESERVE]
    return out < reserve ? reserve - out : 0
  }

  /** Computes the share of each account. If it has changed, sets all reserves and returns true. */
  #shareOut(large: number): boolean {
    const room = Math.floor(this.#cursors[SLOTS + large] * RESERVABLE)
    const share = Math.min(this.#most[large], Math.floor(room / Math.max(1, this.#count[large])))
    if (share === this.#share[large]) return false
    this.#share[large] = share
    for (let account = 0; account < this.#end; account++) this.#set(account, large)
    return true
  }

  // If all slots are leased, the reserve fills as slots are freed, before other accounts get any.
  #set(account: number, large: number): void {
    const at = account * ACCOUNT_WORDS + large
    const before = this.unused(account, large)
    this.#words[at + ACCOUNT_RESERVE] = Math.min(this.#words[at + ACCOUNT_WANTED], this.#share[large])
    this.#cursors[RESERVED + large] += this.unused(account, large) - before
  }
}
