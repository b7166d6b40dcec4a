// The accounts of the pool: how many packets and bytes each queue has under lease, how many it may have, and how many slots are
// reserved for it (reserves.ts). The addon counts in the same words of memory; pool.ts reports what is taken and released.
//
// A queue stops at its limit and resumes at half of it, so that it does not switch between the two for each packet.
import { VhostError } from '../../errors.js'
import {
  ACCOUNT_BYTE_LIMIT,
  ACCOUNT_BYTES,
  ACCOUNT_PACKET_LIMIT,
  ACCOUNT_PACKETS,
  ACCOUNT_RESERVE,
  ACCOUNT_SMALL,
  ACCOUNT_WORDS,
  RESERVED,
} from './arrays.js'
import { Reserves } from './reserves.js'

export interface AccountLimits {
  packets: number
  bytes: number
  /** Slots reserved for this account; fewer if half of the pool is not enough for all accounts (reserves.ts). */
  smallReserve?: number
  largeReserve?: number
  /** Counts drops of its packets by operators, by reason. */
  drops?: Record<string, number>
}

/** The number of no account. */
export const NO_ACCOUNT = -1

// Bits of `watched`.
/** whenHalf() was called: the account has no credit. */
const EXHAUSTED = 1
/** close() was called, and packets are still under lease. */
const CLOSING = 2

export class Accounts {
  /** By account: non-zero if afterRelease() must be called when a packet of it is freed. */
  readonly watched: Uint8Array
  readonly #words: Uint32Array
  readonly #cursors: Uint32Array
  readonly #reserves: Reserves
  readonly #drops: Record<string, number>[] = [{}]
  readonly #resume = new Map<number, () => void>()
  /** Closed accounts, in the order in which they were closed. */
  readonly #free: number[] = []
  /** The first account that was never open. */
  #next = 1

  constructor(words: Uint32Array, cursors: Uint32Array) {
    this.#words = words
    this.#cursors = cursors
    this.#reserves = new Reserves(words, cursors)
    this.watched = new Uint8Array(words.length / ACCOUNT_WORDS)
    // Account 0 is charged for packets that belong to no queue, such as copies. The pool is its only limit.
    words[ACCOUNT_PACKET_LIMIT] = words[ACCOUNT_BYTE_LIMIT] = 0xffffffff
  }

  open({ packets, bytes, smallReserve = 0, largeReserve = 0, drops = {} }: AccountLimits): number {
    const account = this.#unused()
    this.#drops[account] = drops
    const at = account * ACCOUNT_WORDS
    this.#words.fill(0, at, at + ACCOUNT_WORDS)
    this.#words[at + ACCOUNT_PACKET_LIMIT] = packets
    this.#words[at + ACCOUNT_BYTE_LIMIT] = bytes
    this.#reserves.open(account, [smallReserve, largeReserve])
    return account
  }

  /** Closes the account. Its number can be used again once its last packet is released; then `closed` is called. */
  close(account: number, closed?: () => void): void {
    this.#reserves.close(account)
    this.#resume.delete(account)
    if (closed) this.#resume.set(account, closed)
    this.watched[account] = CLOSING
    if (this.packets(account) === 0) this.afterRelease(account)
  }

  /** Accounts that are open or have packets under lease. */
  get count(): number {
    return this.#next - this.#free.length
  }

  /** Packets under lease. */
  packets(account: number): number {
    return this.#words[account * ACCOUNT_WORDS + ACCOUNT_PACKETS]
  }

  /** Bytes under lease. */
  bytes(account: number): number {
    return this.#words[account * ACCOUNT_WORDS + ACCOUNT_BYTES]
  }

  /** Whether the account may have one more packet. native/core/net/dequeue.cc checks the same. */
  hasCredit(account: number): boolean {
    const at = account * ACCOUNT_WORDS
    const words = this.#words
    return (
      words[at + ACCOUNT_PACKETS] < words[at + ACCOUNT_PACKET_LIMIT] &&
      words[at + ACCOUNT_BYTES] < words[at + ACCOUNT_BYTE_LIMIT]
    )
  }

  /** Slots of the account's reserve that are not leased. */
  unusedReserve(account: number, large: number): number {
    return this.#reserves.unused(account, large)
  }

  /** Charges the account for one more slot, with `length` bytes. */
  charge(account: number, large: number, length: number): void {
    const words = this.#words
    const at = account * ACCOUNT_WORDS
    const out = words[at + ACCOUNT_SMALL + large]
    if (out < words[at + ACCOUNT_RESERVE + large]) this.#cursors[RESERVED + large]--
    words[at + ACCOUNT_PACKETS]++
    words[at + ACCOUNT_BYTES] += length
    words[at + ACCOUNT_SMALL + large] = out + 1
  }

  /** `packets` slots of one class were released, with `bytes` bytes in all. */
  discharge(account: number, large: number, bytes: number, packets: number): void {
    const words = this.#words
    const at = account * ACCOUNT_WORDS
    words[at + ACCOUNT_PACKETS] -= packets
    words[at + ACCOUNT_BYTES] -= bytes
    const out = words[at + ACCOUNT_SMALL + large]
    const reserve = words[at + ACCOUNT_RESERVE + large]
    words[at + ACCOUNT_SMALL + large] = out - packets
    if (out - packets < reserve) this.#cursors[RESERVED + large] += Math.min(out, reserve) - (out - packets)
    if (this.watched[account] !== 0) this.afterRelease(account)
  }

  /** A packet of the account grew by `bytes`, or shrank if that is negative. */
  resize(account: number, bytes: number): void {
    this.#words[account * ACCOUNT_WORDS + ACCOUNT_BYTES] += bytes
    if (bytes < 0 && this.watched[account] !== 0) this.afterRelease(account)
  }

  /** An operator dropped packets of the account. */
  dropped(account: number, reason: string, count: number): void {
    const drops = this.#drops[account]
    drops[reason] = (drops[reason] ?? 0) + count
  }

  /** The account has no credit: calls `resume` once at most half of its limits is under lease. */
  whenHalf(account: number, resume: () => void): void {
    this.#resume.set(account, resume)
    this.watched[account] |= EXHAUSTED
  }

  /** A packet of a watched account was freed, or its bytes were. */
  afterRelease(account: number): void {
    const at = account * ACCOUNT_WORDS
    const words = this.#words
    if (this.watched[account] & CLOSING) {
      if (words[at + ACCOUNT_PACKETS] > 0) return
      this.watched[account] = 0
      this.#free.push(account)
      const closed = this.#resume.get(account)
      this.#resume.delete(account)
      closed?.()
    } else if (
      words[at + ACCOUNT_PACKETS] * 2 <= words[at + ACCOUNT_PACKET_LIMIT] &&
      words[at + ACCOUNT_BYTES] * 2 <= words[at + ACCOUNT_BYTE_LIMIT]
    ) {
      this.watched[account] = 0
      const resume = this.#resume.get(account)
      this.#resume.delete(account)
      resume?.()
    }
  }

  #unused(): number {
    // A packet that was lent (loans.ts) may have been charged to its account again after the close. An account can be reused
    // only when it has no packet.
    const reused = this.#free.findIndex(account => this.packets(account) === 0)
    if (reused >= 0) return this.#free.splice(reused, 1)[0]
    const { length } = this.watched
    if (this.#next === length)
      throw new VhostError('ERR_VHOST_POOL_EXHAUSTED', `all ${length} lease accounts are in use`, {
        fix: 'close devices, or put them on other threads',
      })
    return this.#next++
  }
}
