// Numbers that look random and are the same for the same seed: sfc32 (Chris Doty-Humphrey, PractRand; public domain). Below
// impair and sample. All in 32 bits, so that no draw makes an object.

/** Draws until the state no longer shows the seed. */
const WARM_UP = 15
const TWO_32 = 2 ** 32

/** A probability from 0 to 1, as `Random.chance` takes it; a `RangeError` names `what` if it is none. */
export function thresholdOf(what: string, probability: number): number {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`${what} is a probability from 0 to 1, not ${probability}`)
  return Math.round(probability * TWO_32)
}

/** A seed where none was given. */
export const anySeed = (): number => Math.floor(Math.random() * TWO_32)

export class Random {
  readonly #state = new Int32Array(4)

  /** `stream`: for draws that are not to depend on how many others there are. */
  constructor(seed: number, stream = 0) {
    this.#state.set([seed % TWO_32, Math.floor(seed / TWO_32), stream, 1])
    for (let i = 0; i < WARM_UP; i++) this.next()
  }

  /** 32 bits, as a number with a sign. */
  next(): number {
    const state = this.#state
    const sum = (((state[0] + state[1]) | 0) + state[3]) | 0
    state[3]++
    state[0] = state[1] ^ (state[1] >>> 9)
    state[1] = (state[2] + (state[2] << 3)) | 0
    state[2] = (((state[2] << 21) | (state[2] >>> 11)) + sum) | 0
    return sum
  }

  /** Is it so, this time? No draw for what is never so. */
  chance(threshold: number): boolean {
    return threshold > 0 && this.next() >>> 0 < threshold
  }

  /** From 0 to 1, without 1. */
  uniform(): number {
    return (this.next() >>> 0) / TWO_32
  }
}
