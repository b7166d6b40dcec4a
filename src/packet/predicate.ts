// Predicates on packets. A predicate is a function; one that can also judge a whole burst at once (src/bpf, by one native call)
// has a method for that, which operators prefer.
import type { BurstCore } from './burst-core.js'
import type { Packet } from './packet.js'

/** The name of the method that judges a burst. Made by `Symbol.for`, so that two copies of the library work together. */
export const JUDGE = Symbol.for('rx-vhost.judge')

/** A function that returns whether a packet matches, and borrows it for the call; or a filter of `rx-vhost/bpf`. */
export interface PacketPredicate {
  (packet: Packet): boolean
  /** Writes a verdict, 1 or 0, for each packet of `core`. @internal */
  readonly [JUDGE]?: (core: BurstCore, verdicts: Uint8Array) => void
}

/** The verdicts of one predicate on bursts, for one subscription, which reuses the array. */
export class Verdicts {
  readonly #judge: ((core: BurstCore, verdicts: Uint8Array) => void) | undefined
  #verdicts = new Uint8Array(0)

  constructor(predicate: PacketPredicate | undefined) {
    this.#judge = predicate?.[JUDGE]
  }

  /** One verdict per packet, valid until the next call; null if the predicate must be called for each packet. */
  of(core: BurstCore): Uint8Array | null {
    if (this.#judge === undefined) return null
    if (this.#verdicts.length < core.length) this.#verdicts = new Uint8Array(core.ids.length)
    this.#judge(core, this.#verdicts)
    return this.#verdicts
  }
}
