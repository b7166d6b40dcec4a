// What there is of one kind for each queue pair of a guest and for all of them as one, made when it is asked for first. Most
// pipelines name no pair, so the one for all has no list. It knows no queue.

export class ByPair<T> {
  #all: T | undefined
  #each: T[] | undefined

  /** That of `pair`, or with none that of all; `make` makes it. */
  of(pair: number | undefined, make: () => T): T {
    if (pair === undefined) {
      this.#all ??= make()
      return this.#all
    }
    this.#each ??= []
    this.#each[pair] ??= make()
    return this.#each[pair]
  }

  clear(): void {
    this.#all = undefined
    this.#each = undefined
  }
}
