// A first-in, first-out list of objects that keeps its memory. An array that is shifted, or whose length is set to 0,
// frees its memory and allocates it again in each turn.

const FIRST_SIZE = 16

export class Fifo<T extends object> {
  /** A ring whose size is a power of two. */
  #items: (T | null)[] = new Array(FIRST_SIZE).fill(null)
  #head = 0
  length = 0

  push(item: T): void {
    if (this.length === this.#items.length) this.#grow()
    this.#items[(this.#head + this.length++) & (this.#items.length - 1)] = item
  }

  /** Takes out the oldest item. The list must not be empty. */
  shift(): T {
    const item = this.#items[this.#head] as T
    this.#items[this.#head] = null
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.length--
    return item
  }

  #grow(): void {
    const items = this.#items
    this.#items = [
      ...items.slice(this.#head),
      ...items.slice(0, this.#head),
      ...new Array(items.length).fill(null),
    ]
    this.#head = 0
  }
}
