// The one table of flows, connections and addresses: a bounded number of entries, found by a key of some words, each in
// a list by when it was last used. All memory is there from the start (open addressing over typed arrays), so nothing is
// allocated for an entry; what belongs to one is in arrays of the user's own, by the entry's number. It knows no packets.
//
// Lists. An entry is in one of several lists, oldest first. Where all of a list live equally long, what has expired is at
//   its front; and who needs room says by the order of lists whose entries go first.
// Hostile keys. The caller's hash must be keyed (headers/sip-hash.ts): probing is linear, and long runs would be slow.

/** No entry. */
export const NONE = -1
/** Of one table: beyond, the words of a key alone are tens of megabytes. */
const MOST_ENTRIES = 1 << 20

export class LruTable {
  readonly capacity: number
  /** The words of entry `e` begin at `e * words`. */
  readonly keys: Int32Array
  /** When each was last touched. */
  readonly seen: Float64Array
  /** The time of touches, in milliseconds; set it by `tick()`. */
  now = 0
  size = 0
  readonly #words: number
  readonly #mask: number
  /** Bucket → entry, linear probing from the hash's low bits. */
  readonly #buckets: Int32Array
  readonly #hashes: Int32Array
  /** Rings of entries; behind the entries there is a head for each list. */
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

  /** Time has come to `now`. A clock that is set back stands still until it is where it was. */
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

  /** A new entry, the newest of `list`, for a key that has none; NONE if the table is full. */
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

  /** Used now: the newest of `list`. */
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

  /** The entry of `list` that was not used for the longest time, or NONE. */
  oldest(list = 0): number {
    const entry = this.#next[this.capacity + list]
    return entry < this.capacity ? entry : NONE
  }

  /** The oldest of `list` if it was not used for `age` milliseconds, or NONE. */
  expired(age: number, list = 0): number {
    const entry = this.oldest(list)
    return entry !== NONE && this.now - this.seen[entry] >= age ? entry : NONE
  }

  /** The one that was used next, after `entry`, in its list, or NONE. */
  newer(entry: number): number {
    const next = this.#next[entry]
    return next < this.capacity ? next : NONE
  }

  listOf(entry: number): number {
    return this.#list[entry]
  }

  /** How many entries `list` has. */
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

  // What was put behind the hole because its place was taken moves up, so that no run is ever broken.
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
