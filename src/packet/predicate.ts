// What says yes or no to a packet. A function does; one that can also judge a whole burst at once (src/bpf: one native
// call) says so by a method, which operators prefer. It knows packets and no operator.
import type { BurstCore } from './burst-core.js'
import type { Packet } from './packet.js'

/** The method of a predicate that judges bursts. By `Symbol.for`: two copies of the library understand each other. */
export const JUDGE = Symbol.for('rx-vhost.judge')

/** A function that says whether it wants a packet, which it borrows for the call; or a filter of `rx-vhost/bpf`. */
export interface PacketPredicate {
  (packet: Packet): boolean
  /** Writes a verdict, 1 or 0, for each packet of `core`. @internal */
  readonly [JUDGE]?: (core: BurstCore, verdicts: Uint8Array) => void
}

/** The verdicts of one predicate on bursts, for one subscription: the array is used again. */
export class Verdicts {
  readonly #judge: ((core: BurstCore, verdicts: Uint8Array) => void) | undefined
  #verdicts = new Uint8Array(0)

  constructor(predicate: PacketPredicate | undefined) {
    this.#judge = predicate?.[JUDGE]
  }

  /** One verdict a packet, until the next call; null: ask the predicate for each of them. */
  of(core: BurstCore): Uint8Array | null {
    if (this.#judge === undefined) return null
    if (this.#verdicts.length < core.length) this.#verdicts = new Uint8Array(core.ids.length)
    this.#judge(core, this.#verdicts)
    return this.#verdicts
  }
}
