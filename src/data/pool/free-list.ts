// The free slots of one class, small or large: a ring of slot ids, first in first out, and the parked slots behind it, in
// arrays that the addon shares (native/core/net/pool.h). When both are empty it grows by a slab, so that memory that was never
// used costs nothing. pool.ts puts a slot here when its last reference is released.
import { SLOT_OFFSET, SLOT_SHIFT } from '../../packet/packet.js'
import {
  GROWN,
  HEAD,
  HEADROOM,
  LARGE_SLAB,
  LARGE_SLOT,
  PARKED,
  PARKED_COUNT,
  RESERVED,
  SLOTS,
  SMALL_SLAB,
  SMALL_SLOT,
  TAIL,
} from './arrays.js'

export class FreeList {
  /** The first slot id of this class. */
  readonly #first: number
  /** Where the bytes of that slot begin in the pool. */
  readonly #bytes: number
  readonly #slotBytes: number
  readonly #slab: number
  readonly #head: number
  readonly #tail: number
  readonly #mask: number

  /** `large`: 0 for the class of small slots, 1 for the large ones. */
  constructor(
    readonly large: 0 | 1,
    readonly list: Uint32Array,
    readonly cursors: Uint32Array,
    readonly meta: Uint32Array,
  ) {
    const small = cursors[SLOTS]
    this.#first = large * small
    this.#bytes = large * small * SMALL_SLOT
    this.#slotBytes = large === 1 ? LARGE_SLOT : SMALL_SLOT
    this.#slab = large === 1 ? LARGE_SLAB : SMALL_SLAB
    this.#head = HEAD + 2 * large
    this.#tail = TAIL + 2 * large
    this.#mask = list.length - 1
  }

  /** Slots that are leased. */
  get out(): number {
    return this.cursors[GROWN + this.large] - this.#free()
  }

  /** Slots that an account may take which has `own` slots of its reserve unused. */
  left(own: number): number {
    const { cursors, large } = this
    return this.#free() + cursors[SLOTS + large] - cursors[GROWN + large] - cursors[RESERVED + large] + own
  }

  /** Takes the oldest free slot. left() must be positive. */
  take(): number {
    const { cursors } = this
    if (this.#listed() === 0) {
      if (cursors[PARKED_COUNT + this.large] > 0) return this.#unpark()
      this.#grow()
    }
    return this.list[cursors[this.#head]++ & this.#mask]
  }

  put(slot: number): void {
    this.list[this.cursors[this.#tail]++ & this.#mask] = slot
    this.trim()
  }

  /** Parks the oldest slots of a list that is longer than a slab. */
  trim(): void {
    const { cursors, meta, large } = this
    for (let more = this.#listed() - this.#slab; more > 0; more--) {
      const slot = this.list[cursors[this.#head]++ & this.#mask]
      meta[(slot << SLOT_SHIFT) + SLOT_OFFSET] = cursors[PARKED + large]
      cursors[PARKED + large] = slot + 1
      cursors[PARKED_COUNT + large]++
    }
  }

  /** Where the frame of a new packet begins in the bytes of the pool. */
  start(slot: number): number {
    return this.#bytes + (slot - this.#first) * this.#slotBytes + HEADROOM
  }

  /** Whether these bytes of the pool are inside the slot. */
  fits(slot: number, offset: number, length: number): boolean {
    const begin = this.start(slot) - HEADROOM
    return offset >= begin && length >= 0 && offset + length <= begin + this.#slotBytes
  }

  #free(): number {
    return this.#listed() + this.cursors[PARKED_COUNT + this.large]
  }

  #unpark(): number {
    const { cursors, meta, large } = this
    const slot = cursors[PARKED + large] - 1
    cursors[PARKED + large] = meta[(slot << SLOT_SHIFT) + SLOT_OFFSET]
    cursors[PARKED_COUNT + large]--
    return slot
  }

  #listed(): number {
    return (this.cursors[this.#tail] - this.cursors[this.#head]) >>> 0
  }

  #grow(): void {
    const { cursors, large } = this
    const grown = cursors[GROWN + large]
    const count = Math.min(this.#slab, cursors[SLOTS + large] - grown)
    for (let i = 0; i < count; i++) this.put(this.#first + grown + i)
    cursors[GROWN + large] = grown + count
  }
}
