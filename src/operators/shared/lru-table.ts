// The table behind flows, connections and addresses: a bounded number of entries, found by a key of some words. All memory
// is allocated at the start (open addressing over typed arrays). Data of an entry is in arrays of the caller, by the
// entry's number.
//
// Lists. Each entry is in one of several lists, least recently used first. Where all entries of a list have the same
//   lifetime, expired ones are at its front. A caller makes room by removing entries from the lists in an order of its own.
// Hostile keys. The caller's hash must be keyed (headers/sip-hash.ts): probing is linear, and long runs would be slow.

/** No entry. */
export const NONE = -1
/** With more entries, the keys alone would take tens of megabytes. */
const MOST_ENTRIES = 1 << 20

export class LruTable {
  readonly capacity: number
  /** The words of entry `e` begin at `e * words`. */
  readonly keys: Int32Array
  /** When each entry was last touched. */
  readonly seen: Float64Array
  /** The current time in milliseconds; `tick()` sets it. */
  now = 0
  size = 0
  readonly #words: number
  readonly #mask: number
  /** From bucket to entry; linear probing from the low bits of the hash. */
  readonly #buckets: Int32Array
  readonly #hashes: Int32Array
  /** The lists, as rings of entries; the places after the entries are the heads of the lists. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #list: Uint16Array
  readonly #counts: Int32Array
  readonly #free: Int32Array

  /** For `capacity` entries with keys of `words` words in `lists` lists. */
  constructor(capacity: number, words: number, lists = 1) {
    if (!(Number.isInteger(capacity) && capacity > 0 && capacity <= MOST_ENTRIES))
      throw new RangeError(`a table has 1 to ${MOST_ENTRIES} entries, not ${capacity}`)
    this.capacity = capacity
    this.#words = words
    // At most half full, so that runs stay short.
    const buckets = 2 ** Math.ceil(Math.log2(2 * capacity))
    this.#mask = buckets - 1
    this.#buckets = new Int32Array(buckets).fill(NONE)
    this.keys = new Int32Array(capacity * words)
    this.seen = new Float64Array(capacity)
    this.#hashes = new Int32Array(capacity)
    this.#next = Int32Array.from({ length: capacity + lists }, (_, i) => i)
    this.#previous = this.#next.slice()
    this.#list = new Uint16Array(capacity)
    this.#counts = new Int32Array(lists)
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i)
  }

  /** Sets the time. If `now` is earlier than before, the time stays as it is. */
  tick(now: number): void {
    if (now > this.now) this.now = now
  }

  /** The entry of this key, or NONE. */
  find(key: Int32Array, hash: number): number {
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const entry = this.#buckets[at]
      if (entry === NONE || (this.#hashes[entry] === hash && this.#equals(entry, key))) return entry
    }
  }

  /** Adds an entry for a key that has none, as the newest of `list`. Returns NONE if the table is full. */
  add(key: Int32Array, hash: number, list = 0): number {
    if (this.size === this.capacity) return NONE
    const entry = this.#free[this.capacity - 1 - this.size++]
    for (let i = 0, to = entry * this.#words; i < this.#words; i++) this.keys[to + i] = key[i]
    this.#hashes[entry] = hash
    let at = hash & this.#mask
    while (this.#buckets[at] !== NONE) at = (at + 1) & this.#mask
    this.#buckets[at] = entry
    this.#counts[list]++
    this.#link(entry, list)
    return entry
  }

  /** Marks the entry as used now, and makes it the newest of `list`. */
  touch(entry: number, list = this.#list[entry]): void {
    this.#unlink(entry)
    this.#counts[this.#list[entry]]--
    this.#counts[list]++
    this.#link(entry, list)
  }

  remove(entry: number): void {
    this.#unlink(entry)
    this.#counts[this.#list[entry]]--
    this.#unindex(entry)
    this.#free[this.capacity - this.size--] = entry
  }

  /** The least recently used entry of `list`, or NONE. */
  oldest(list = 0): number {
    const entry = this.#next[this.capacity + list]
    return entry < this.capacity ? entry : NONE
  }

  /** The oldest entry of `list` if it was last used `age` milliseconds ago or earlier, or NONE. */
  expired(age: number, list = 0): number {
    const entry = this.oldest(list)
    return entry !== NONE && this.now - this.seen[entry] >= age ? entry : NONE
  }

  /** The entry after `entry` in its list, or NONE. */
  newer(entry: number): number {
    const next = this.#next[entry]
    return next < this.capacity ? next : NONE
  }

  listOf(entry: number): number {
    return this.#list[entry]
  }

  /** The number of entries in `list`. */
  count(list = 0): number {
    return this.#counts[list]
  }

  #equals(entry: number, key: Int32Array): boolean {
    const words = this.#words
    for (let i = 0, at = entry * words; i < words; i++) if (this.keys[at + i] !== key[i]) return false
    return true
  }

  #link(entry: number, list: number): void {
    const head = this.capacity + list
    const last = this.#previous[head]
    this.#list[entry] = list
    this.seen[entry] = this.now
    this.#previous[entry] = last
    this.#next[entry] = head
    this.#next[last] = entry
    this.#previous[head] = entry
  }

  #unlink(entry: number): void {
    const next = this.#next[entry]
    const previous = this.#previous[entry]
    this.#next[previous] = next
    this.#previous[next] = previous
  }

  // An entry after the hole that stands there only because its own place was taken moves into the hole: a run has no gaps.
  #unindex(entry: number): void {
    const buckets = this.#buckets
    const mask = this.#mask
    let hole = this.#hashes[entry] & mask
    while (buckets[hole] !== entry) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; buckets[at] !== NONE; at = (at + 1) & mask) {
      const home = this.#hashes[buckets[at]] & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      buckets[hole] = buckets[at]
      hole = at
    }
    buckets[hole] = NONE
  }
}
