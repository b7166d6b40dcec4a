// HalfSipHash-1-3 (Aumasson and Bernstein), the keyed hash that Linux uses for hash tables on 32-bit machines. A guest
// that does not know the key can't choose packets with equal hashes. Such packets would make look-ups in a table slow.

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/**
 * Returns the hash of the first `count` words as a signed 32-bit number. The secret key is `key0` and `key1`. Allocates
 * nothing.
 */
export function sipHash(words: Int32Array, count: number, key0: number, key1: number): number {
  let v0 = key0 | 0
  let v1 = key1 | 0
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1
  // One round for each word, one for the length in bytes, and three final rounds.
  const last = count + 4
  for (let i = 0; i < last; i++) {
    const word = i < count ? words[i] : i === count ? count << 26 : 0
    if (i === count + 1) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = rotate(v1, 5) ^ v0
    v0 = rotate(v0, 16)
    v2 = (v2 + v3) | 0
    v3 = rotate(v3, 8) ^ v2
    v0 = (v0 + v3) | 0
    v3 = rotate(v3, 7) ^ v0
    v2 = (v2 + v1) | 0
    v1 = rotate(v1, 13) ^ v2
    v2 = rotate(v2, 16)
    v0 ^= word
  }
  return v1 ^ v3
}
