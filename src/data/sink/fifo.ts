// First in, first out: the slots that a sink holds for a ring without room. A growing ring of numbers; a mark tells
// those that may be dropped for newer ones from those that must not. It knows no leases: who pushes retains.

/** Marks a slot that `block` put in: it is never dropped for a newer one. */
const KEPT = 0x80000000
const FIRST_SIZE = 64
/** Most sinks never wait for room. */
const NOTHING = new Uint32Array(0)

export class SlotFifo {
  #slots = NOTHING
  #head = 0
  length = 0

  push(slot: number, kept: boolean): void {
    if (this.length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.length++) & (this.#slots.length - 1)] = kept ? slot | KEPT : slot
  }

  /** The slot at `index` from the oldest. */
  at(index: number): number {
    return (this.#slots[(this.#head + index) & (this.#slots.length - 1)] & ~KEPT) >>> 0
  }

  /** Was it pushed as one that must not be dropped? */
  isKept(index: number): boolean {
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)] >= KEPT
  }

  /** The oldest `count` are gone. */
  drop(count: number): void {
    this.#head = (this.#head + count) & (this.#slots.length - 1)
    this.length -= count
  }

  /** Takes out the oldest slot that may be dropped, or gives -1. */
  takeOldestDroppable(): number {
    const mask = this.#slots.length - 1
    for (let i = 0; i < this.length; i++) {
      const slot = this.#slots[(this.#head + i) & mask]
      if (slot >= KEPT) continue
      for (let j = i; j > 0; j--)
        this.#slots[(this.#head + j) & mask] = this.#slots[(this.#head + j - 1) & mask]
      this.drop(1)
      return slot
    }
    return -1
  }

  #grow(): void {
    const larger = new Uint32Array(Math.max(FIRST_SIZE, this.#slots.length * 2))
    for (let i = 0; i < this.length; i++) larger[i] = this.#slots[(this.#head + i) & (this.#slots.length - 1)]
    this.#slots = larger
    this.#head = 0
  }
}
