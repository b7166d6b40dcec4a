// The token bucket of rateLimit, in packets and in bits. Its state is the time at which it will be full (the virtual
// scheduling algorithm of ITU-T I.371, also known as GCRA). So it needs no timer, and a packet's time is known when it arrives.
import type { Slots } from '../../packet/packet.js'
import { ROUNDING_MS } from '../shaping/clock.js'
import { framesOf, wireBytes } from '../shaping/wire-length.js'

/** The rate, and what counts of each packet. */
export interface RateOptions {
  /** Packets a second. A packet with segmentation offload counts as the frames that it becomes. */
  packetsPerSecond?: number
  /** Bits a second, of frames without preamble and check sequence: what `packet.length` counts. */
  bitsPerSecond?: number
  /** Bytes on the wire that each frame takes besides its own; 24 on Ethernet: preamble 8, check sequence 4, gap 12. Default 0. */
  overhead?: number
}

export interface Depth {
  /** Milliseconds of the rate that a full bucket holds, unless `packets` or `bytes` is given. */
  ms: number
  packets?: number
  bytes?: number
}

const PACKETS = 0
const BITS = 1

export class TokenBucket {
  // By PACKETS and BITS. In typed arrays: a double in a field would be an object for each packet.
  /** When the bucket will be full. */
  readonly #full = new Float64Array(2)
  /** Milliseconds that it takes to fill the empty bucket. */
  readonly #depth = new Float64Array(2)
  /** The cost of the current packet, in milliseconds, and the time from which the bucket has as much. */
  readonly #cost = new Float64Array(2)
  readonly #ready = new Float64Array(2)
  readonly #msPerPacket: number
  readonly #msPerByte: number
  readonly #overhead: number

  constructor({ packetsPerSecond, bitsPerSecond, overhead = 0 }: RateOptions, depth: Depth) {
    if (packetsPerSecond === undefined && bitsPerSecond === undefined)
      throw new TypeError('a rate needs packetsPerSecond, bitsPerSecond, or both')
    for (const [name, value] of Object.entries({ packetsPerSecond, bitsPerSecond, ...depth }))
      if (value !== undefined && !(value > 0)) throw new RangeError(`${name} can not be ${value}`)
    if (!(overhead >= 0)) throw new RangeError(`overhead can not be ${overhead}`)
    this.#overhead = overhead
    this.#msPerPacket = packetsPerSecond === undefined ? 0 : 1000 / packetsPerSecond
    this.#msPerByte = bitsPerSecond === undefined ? 0 : 8000 / bitsPerSecond
    this.#depth[PACKETS] = depth.packets === undefined ? depth.ms : depth.packets * this.#msPerPacket
    this.#depth[BITS] = depth.bytes === undefined ? depth.ms : depth.bytes * this.#msPerByte
    this.#full.fill(Number.NEGATIVE_INFINITY)
  }

  /**
   * Takes the packet's tokens, and sets `at[0]` to the time at which it may pass, which is not before the old `at[0]`. Returns
   * whether it has to wait. (A double as an argument or a result would be an object for each packet.)
   */
  reserve(slots: Slots, slot: number, at: Float64Array): boolean {
    this.#price(slots, slot)
    const ready = this.#ready
    const wanted = at[0]
    at[0] = Math.max(wanted, ready[PACKETS], ready[BITS])
    this.#take(at)
    return at[0] > wanted + ROUNDING_MS
  }

  /** May the packet pass at `at[0]`? If so, its tokens are taken. */
  admit(slots: Slots, slot: number, at: Float64Array): boolean {
    this.#price(slots, slot)
    const ready = this.#ready
    const limit = at[0] + ROUNDING_MS
    if (ready[PACKETS] > limit || ready[BITS] > limit) return false
    this.#take(at)
    return true
  }

  // Sets the packet's cost, and the time from which the bucket has as many tokens. A packet that costs more than a full
  // bucket passes when the bucket is full, and the packets after it wait until its cost is paid.
  #price(slots: Slots, slot: number): void {
    const frames = framesOf(slots, slot)
    this.#cost[PACKETS] = frames * this.#msPerPacket
    this.#cost[BITS] = wireBytes(slots, slot, frames, this.#overhead) * this.#msPerByte
    for (let which = PACKETS; which <= BITS; which++) {
      const depth = this.#depth[which]
      this.#ready[which] = this.#full[which] + Math.min(this.#cost[which], depth) - depth
    }
  }

  #take(at: Float64Array): void {
    const full = this.#full
    for (let which = PACKETS; which <= BITS; which++)
      full[which] = Math.max(full[which], at[0]) + this.#cost[which]
  }
}
