// What of the pool is kept back for each queue alone, so that consumers that keep their packets can't starve the other
// queues. All reserves together are at most half of each class of slots: while the queues are few each has the burst
// that it asks for, past that they have equal shares, and the other half is for whoever comes first. So one more queue
// never finds a pool that is all reserved. The addon takes slots by the same words (native/core/net/pool.h).
import { ACCOUNT_RESERVE, ACCOUNT_SMALL, ACCOUNT_WANTED, ACCOUNT_WORDS, RESERVED, SLOTS } from './arrays.js'

/** The part of each class of slots that reserves may take. */
const RESERVABLE = 1 / 2
const CLASSES = [0, 1] as const

export class Reserves {
  readonly #words: Uint32Array
  readonly #cursors: Uint32Array
  /** By class: who wants a reserve, the largest that was ever wanted, and what each may have of it now. */
  readonly #count = [0, 0]
  readonly #most = [0, 0]
  readonly #share = [0, 0]
  /** No account from here on ever had a reserve. */
  #end = 0

  constructor(words: Uint32Array, cursors: Uint32Array) {
    this.#words = words
    this.#cursors = cursors
  }

  /** `wanted`: small and large slots for the account. It may get fewer, and when others close more again. */
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

  /** Slots of its reserve that the account has not out. */
  unused(account: number, large: number): number {
    const at = account * ACCOUNT_WORDS + large
    const out = this.#words[at + ACCOUNT_SMALL]
    const reserve = this.#words[at + ACCOUNT_RESERVE]
    return out < reserve ? reserve - out : 0
  }

  // Computes the share anew; if that changes what anyone has, gives it to all and returns true.
  #shareOut(large: number): boolean {
    const room = Math.floor(this.#cursors[SLOTS + large] * RESERVABLE)
    const share = Math.min(this.#most[large], Math.floor(room / Math.max(1, this.#count[large])))
    if (share === this.#share[large]) return false
    this.#share[large] = share
    for (let account = 0; account < this.#end; account++) this.#set(account, large)
    return true
  }

  // If the slots are out elsewhere the reserve fills as they come back: nobody else gets one before it is whole.
  #set(account: number, large: number): void {
    const at = account * ACCOUNT_WORDS + large
    const before = this.unused(account, large)
    this.#words[at + ACCOUNT_RESERVE] = Math.min(this.#words[at + ACCOUNT_WANTED], this.#share[large])
    this.#cursors[RESERVED + large] += this.unused(account, large) - before
  }
}
