// One object for each queue pair of a guest and one for all pairs together, each made at first use. Most pipelines name no
// pair, so that the object for all pairs needs no list.

export class ByPair<T> {
  #all: T | undefined
  #each: T[] | undefined

  /** The object of `pair`, or without one that of all pairs. `make` makes it at first use. */
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
