// Pseudo-random numbers by a seed, for impair and sample: sfc32 (Chris Doty-Humphrey, PractRand; public domain). All of it is
// in 32 bits, so that a draw allocates nothing.

/** Draws until the state no longer shows the seed. */
const WARM_UP = 15
const TWO_32 = 2 ** 32

/** A probability from 0 to 1 as `Random.chance` takes it. Throws a `RangeError` that names `what` for any other number. */
export function thresholdOf(what: string, probability: number): number {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`${what} is a probability from 0 to 1, not ${probability}`)
  return Math.round(probability * TWO_32)
}

/** A random seed. */
export const anySeed = (): number => Math.floor(Math.random() * TWO_32)

export class Random {
  readonly #state = new Int32Array(4)

  /** Each `stream` of a seed is a sequence of its own: its draws do not depend on those of another stream. */
  constructor(seed: number, stream = 0) {
    this.#state.set([seed % TWO_32, Math.floor(seed / TWO_32), stream, 1])
    for (let i = 0; i < WARM_UP; i++) this.next()
  }

  /** 32 bits, as a signed number. */
  next(): number {
    const state = this.#state
    const sum = (((state[0] + state[1]) | 0) + state[3]) | 0
    state[3]++
    state[0] = state[1] ^ (state[1] >>> 9)
    state[1] = (state[2] + (state[2] << 3)) | 0
    state[2] = (((state[2] << 21) | (state[2] >>> 11)) + sum) | 0
    return sum
  }

  /** True with the probability of `threshold`. Draws nothing if that is 0. */
  chance(threshold: number): boolean {
    return threshold > 0 && this.next() >>> 0 < threshold
  }

  /** A number from 0 (included) to 1 (excluded). */
  uniform(): number {
    return (this.next() >>> 0) / TWO_32
  }
}
