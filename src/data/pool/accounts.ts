// Lease accounts: how many packets and bytes of the pool a queue has out, how many it may have, and what is kept back
// for it alone. The addon counts in the same words. pool.ts says what was taken and given back.
// Two thresholds (stop at the limit, resume at half), so that kicks don't flap.
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
  /** Slots kept back for this account alone, as far as half of the pool suffices for all (reserves.ts). */
  smallReserve?: number
  largeReserve?: number
  /** Where drops of its packets by operators are counted, by reason. */
  drops?: Record<string, number>
}

/** A queue that has none. */
export const NO_ACCOUNT = -1

const EXHAUSTED = 1
const CLOSING = 2

export class Accounts {
  /** Non-zero: settle() must be called when a packet of this account is freed. */
  readonly watched: Uint8Array
  readonly #words: Uint32Array
  readonly #cursors: Uint32Array
  readonly #reserves: Reserves
  readonly #drops: Record<string, number>[] = [{}]
  readonly #resume = new Map<number, () => void>()
  /** Accounts that were closed, the longest ago first, and the first that was never open. */
  readonly #free: number[] = []
  #next = 1

  constructor(words: Uint32Array, cursors: Uint32Array) {
    this.#words = words
    this.#cursors = cursors
    this.#reserves = new Reserves(words, cursors)
    this.watched = new Uint8Array(words.length / ACCOUNT_WORDS)
    // Account 0 pays for copies that belong to no queue: the pool is its only limit.
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

  /** Its number is used again once its last packet came back, which `closed` tells. */
  close(account: number, closed?: () => void): void {
    this.#reserves.close(account)
    this.#resume.delete(account)
    if (closed) this.#resume.set(account, closed)
    this.watched[account] = CLOSING
    if (this.packets(account) === 0) this.settle(account)
  }

  /** Accounts that are open, or wait for their last packet. */
  get count(): number {
    return this.#next - this.#free.length
  }

  packets(account: number): number {
    return this.#words[account * ACCOUNT_WORDS + ACCOUNT_PACKETS]
  }

  bytes(account: number): number {
    return this.#words[account * ACCOUNT_WORDS + ACCOUNT_BYTES]
  }

  /** May the account have one more packet? The same question as in native/core/net/dequeue.cc. */
  hasCredit(account: number): boolean {
    const at = account * ACCOUNT_WORDS
    const words = this.#words
    return (
      words[at + ACCOUNT_PACKETS] < words[at + ACCOUNT_PACKET_LIMIT] &&
      words[at + ACCOUNT_BYTES] < words[at + ACCOUNT_BYTE_LIMIT]
    )
  }

  unusedReserve(account: number, large: number): number {
    return this.#reserves.unused(account, large)
  }

  /** The account has one slot more, with `length` bytes. */
  charge(account: number, large: number, length: number): void {
    const words = this.#words
    const at = account * ACCOUNT_WORDS
    const out = words[at + ACCOUNT_SMALL + large]
    if (out < words[at + ACCOUNT_RESERVE + large]) this.#cursors[RESERVED + large]--
    words[at + ACCOUNT_PACKETS]++
    words[at + ACCOUNT_BYTES] += length
    words[at + ACCOUNT_SMALL + large] = out + 1
  }

  /** It gave back `packets` slots of one class, with `bytes` bytes in all. */
  discharge(account: number, large: number, bytes: number, packets: number): void {
    const words = this.#words
    const at = account * ACCOUNT_WORDS
    words[at + ACCOUNT_PACKETS] -= packets
    words[at + ACCOUNT_BYTES] -= bytes
    const out = words[at + ACCOUNT_SMALL + large]
    const reserve = words[at + ACCOUNT_RESERVE + large]
    words[at + ACCOUNT_SMALL + large] = out - packets
    if (out - packets < reserve) this.#cursors[RESERVED + large] += Math.min(out, reserve) - (out - packets)
    if (this.watched[account] !== 0) this.settle(account)
  }

  /** A packet of the account grew, or shrank. */
  resize(account: number, bytes: number): void {
    this.#words[account * ACCOUNT_WORDS + ACCOUNT_BYTES] += bytes
    if (bytes < 0 && this.watched[account] !== 0) this.settle(account)
  }

  /** An operator dropped packets of the account. */
  dropped(account: number, reason: string, count: number): void {
    const drops = this.#drops[account]
    drops[reason] = (drops[reason] ?? 0) + count
  }

  /** The account was found exhausted: calls `resume` once, when it is back at half. */
  whenHalf(account: number, resume: () => void): void {
    this.#resume.set(account, resume)
    this.watched[account] |= EXHAUSTED
  }

  /** A packet of a watched account was freed. */
  settle(account: number): void {
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
    // A packet that was lent elsewhere may have come back after the close: it must be gone before the count is anew.
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
