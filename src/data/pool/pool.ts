// The packet pool, seen from JavaScript: counts leases and frees slots in typed arrays that the addon shares
// (native/core/net/pool.h is the other half of the layout), so that a release makes no native call. It also works on plain
// arrays (arrays.ts). One thread owns it. Free slots are in free-list.ts; accounts.ts says which queue is charged for a lease.
import { Buffer } from 'node:buffer'
import {
  NO_SLOT,
  type Packet,
  SLOT_ACCOUNT,
  SLOT_HEADER,
  SLOT_LENGTH,
  SLOT_OFFSET,
  SLOT_REFERENCES,
  SLOT_SHIFT,
  type Slots,
} from '../../packet/packet.js'
import { Accounts } from './accounts.js'
import { HEADROOM, LARGE_SLOT, type PoolArrays, SLOTS, SMALL_SLOT, TAIL } from './arrays.js'
import { Cores } from './core-store.js'
import { FreeList } from './free-list.js'
import { Loans } from './loans.js'

/** The value of freed bytes in strict mode. */
const POISON = 0xdb

// Copies for the loop over packets: V8 inlines constants of the same module, but loads and checks imported ones.
const SHIFT = SLOT_SHIFT
const LENGTH = SLOT_LENGTH
const REFERENCES = SLOT_REFERENCES
const ACCOUNT = SLOT_ACCOUNT

export { NO_SLOT as NONE } from '../../packet/packet.js'

export class Pool implements Slots {
  readonly meta: Uint32Array
  readonly bytes: Buffer
  readonly view: DataView
  readonly exchange: Uint32Array
  readonly strict: boolean
  readonly holders: Map<object, string> | null
  readonly packets: (Packet | undefined)[]
  readonly accounts: Accounts
  readonly loans: Loans
  readonly cores: Cores
  readonly #freeSmall: FreeList
  readonly #freeLarge: FreeList
  readonly #small: number
  #waiting: (() => void)[] = []

  /** `names`: record the names of holders, for `stalled` events. */
  constructor(arrays: PoolArrays, options: { strict?: boolean; names?: boolean } = {}) {
    const strict = options.strict ?? process.env.RX_VHOST_LEASES === 'strict'
    const names = options.names ?? strict
    this.meta = arrays.meta
    this.bytes = Buffer.from(arrays.bytes)
    this.view = new DataView(arrays.bytes)
    this.exchange = arrays.exchange
    this.#freeSmall = new FreeList(0, arrays.freeSmall, arrays.cursors, arrays.meta)
    this.#freeLarge = new FreeList(1, arrays.freeLarge, arrays.cursors, arrays.meta)
    this.#small = arrays.cursors[SLOTS]
    this.strict = strict
    this.holders = names ? new Map() : null
    this.packets = new Array(arrays.cursors[SLOTS] + arrays.cursors[SLOTS + 1]).fill(undefined)
    this.accounts = new Accounts(arrays.accounts, arrays.cursors)
    this.cores = new Cores(this, arrays.exchange)
    this.loans = new Loans(this, this.accounts, this.#small)
  }

  /** All slots that are leased. */
  get leases(): number {
    return this.#freeSmall.out + this.#freeLarge.out
  }

  /** In debug and strict mode, how many leases (of bursts or packets) there are, by the name of the holder. */
  holding(): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const name of this.holders?.values() ?? []) sums[name] = (sums[name] ?? 0) + 1
    return sums
  }

  retain(slot: number): void {
    this.meta[(slot << SLOT_SHIFT) + SLOT_REFERENCES]++
  }

  release(slot: number): void {
    const at = (slot << SLOT_SHIFT) + SLOT_REFERENCES
    const references = this.meta[at]
    if (references > 1) this.meta[at] = references - 1
    else if (references === 1) this.#free(slot)
    else throw new Error(`rx-vhost: slot ${slot} is released twice`)
  }

  /** Releases the slots from index `from` on, before `to`. */
  releaseAll(ids: Uint32Array, from: number, to: number): void {
    let at = from
    while (at < to) {
      at += this.#freeRun(ids, at, to)
      if (at < to) this.release(ids[at++])
    }
  }

  /** A slot for `length` bytes with one reference and a header of zeros; or NO_SLOT. Its bytes are not cleared. */
  alloc(length: number, account = 0): number {
    if (length > LARGE_SLOT - HEADROOM) throw new RangeError(`a packet of ${length} bytes is too long`)
    const large = length > SMALL_SLOT - HEADROOM ? 1 : 0
    const free = large === 1 ? this.#freeLarge : this.#freeSmall
    if (free.left(this.accounts.unusedReserve(account, large)) <= 0) return NO_SLOT
    const slot = free.take()
    this.accounts.charge(account, large, length)
    const { meta } = this
    const at = slot << SLOT_SHIFT
    meta[at + SLOT_OFFSET] = free.start(slot)
    meta[at + SLOT_LENGTH] = length
    meta[at + SLOT_REFERENCES] = 1
    meta[at + SLOT_ACCOUNT] = account
    meta[at + SLOT_HEADER] = 0
    meta[at + SLOT_HEADER + 1] = 0
    meta[at + SLOT_HEADER + 2] = 0
    return slot
  }

  resize(slot: number, offset: number, length: number): boolean {
    const free = slot < this.#small ? this.#freeSmall : this.#freeLarge
    if (!free.fits(slot, offset, length)) return false
    const at = slot << SLOT_SHIFT
    this.accounts.resize(this.meta[at + SLOT_ACCOUNT], length - this.meta[at + SLOT_LENGTH])
    this.meta[at + SLOT_OFFSET] = offset
    this.meta[at + SLOT_LENGTH] = length
    return true
  }

  home(slot: number): number {
    return this.loans.home(slot)
  }

  dropped(slot: number, reason: string, count = 1): void {
    this.accounts.dropped(this.home(slot), reason, count)
  }

  /** Calls back once, when a slot is freed. */
  whenFreed(callback: () => void): void {
    if (!this.#waiting.includes(callback)) this.#waiting.push(callback)
  }

  #free(slot: number): void {
    const { meta } = this
    const at = slot << SLOT_SHIFT
    const small = slot < this.#small
    const length = meta[at + SLOT_LENGTH]
    if (this.strict) this.bytes.fill(POISON, meta[at + SLOT_OFFSET], meta[at + SLOT_OFFSET] + length)
    meta[at + SLOT_REFERENCES] = 0
    if (small) this.#freeSmall.put(slot)
    else this.#freeLarge.put(slot)
    this.accounts.discharge(meta[at + SLOT_ACCOUNT], small ? 0 : 1, length, 1)
    if (this.#waiting.length > 0) this.#wake()
  }

  /**
   * Releases slots from the start of the range on, and stops at the first one to be freed that is large or has another
   * account. So the usual burst updates the account and the free list once. Returns how many slots it released.
   */
  #freeRun(ids: Uint32Array, from: number, to: number): number {
    if (this.strict) return 0
    const { list, cursors } = this.#freeSmall
    const mask = list.length - 1
    const small = this.#small
    const { meta } = this
    const account = meta[(ids[from] << SHIFT) | ACCOUNT]
    // `| 0` tells V8 that these are 32-bit integers; otherwise it checks for an overflow at each step.
    const first = cursors[TAIL] | 0
    const end = to | 0
    let tail = first
    let bytes = 0
    let i = from | 0
    for (; i < end; i = (i + 1) | 0) {
      const slot = ids[i] | 0
      const at = slot << SHIFT
      const references = meta[at | REFERENCES]
      if (references > 1) {
        meta[at | REFERENCES] = references - 1
        continue
      }
      if (!references || slot >= small || meta[at | ACCOUNT] !== account) break
      meta[at | REFERENCES] = 0
      bytes = (bytes + meta[at | LENGTH]) | 0
      list[tail & mask] = slot
      tail = (tail + 1) | 0
    }
    const freed = (tail - first) | 0
    if (freed === 0) return i - from
    cursors[TAIL] = tail
    this.#freeSmall.trim()
    this.accounts.discharge(account, 0, bytes, freed)
    if (this.#waiting.length > 0) this.#wake()
    return i - from
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}
