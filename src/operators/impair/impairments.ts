// Draws what happens to each packet on a bad path, for impair; the model is netem, a queueing discipline of Linux
// (tc-netem(8)). Each kind of impairment draws from a stream of its own: with the same seed the same packets are lost
// whether or not there is jitter.
import type { Slots } from '../../packet/packet.js'
import { Random, thresholdOf } from '../shaping/random.js'
import { framesOf, wireBytes } from '../shaping/wire-length.js'

/**
 * Loss in bursts, by the model of Gilbert and Elliott: the path is in a good or a bad state, and may change its state before
 * each packet. In the long run it is bad for `toBad / (toBad + toGood)` of the packets, `1 / toGood` of them in a row.
 */
export interface BurstLoss {
  /** Probability that a good path becomes bad. */
  toBad: number
  /** Probability that a bad path becomes good. */
  toGood: number
  /** Probability of loss while the path is bad. Default 1. */
  whileBad?: number
  /** Probability of loss while the path is good. Default 0. */
  whileGood?: number
}

class Loss {
  readonly #random: Random
  readonly #toBad: number
  readonly #toGood: number
  readonly #whileBad: number
  readonly #whileGood: number
  #bad = false

  constructor(random: Random, loss: number | BurstLoss) {
    const bursts = typeof loss === 'number' ? { toBad: 0, toGood: 0, whileGood: loss } : loss
    const { toBad, toGood, whileBad = 1, whileGood = 0 } = bursts
    this.#random = random
    this.#toBad = thresholdOf('loss.toBad', toBad)
    this.#toGood = thresholdOf('loss.toGood', toGood)
    this.#whileBad = thresholdOf('loss.whileBad', whileBad)
    this.#whileGood = thresholdOf('loss', whileGood)
  }

  /** Is the next packet lost? */
  next(): boolean {
    const random = this.#random
    if (random.chance(this.#bad ? this.#toGood : this.#toBad)) this.#bad = !this.#bad
    return random.chance(this.#bad ? this.#whileBad : this.#whileGood)
  }
}

/** The distribution of the jitter around the delay. */
export type Distribution = 'uniform' | 'normal' | 'pareto'

/** The largest distance from the mean, in standard deviations: that of netem's tables. */
const FARTHEST = 4
/** Pareto with this shape has a variance; its mean and deviation for a scale of 1. */
const SHAPE = 3
const PARETO_MEAN = SHAPE / (SHAPE - 1)
const PARETO_DEVIATION = Math.sqrt(SHAPE / ((SHAPE - 1) ** 2 * (SHAPE - 2)))

const bounded = (deviations: number): number => Math.min(FARTHEST, Math.max(-FARTHEST, deviations))

/**
 * Each puts a number around 0 into `drawn[0]`, since a double as a result would be an object for each packet: `uniform`
 * from -1 to 1, the others with a standard deviation of 1.
 */
const distributions: Record<Distribution, (random: Random, drawn: Float64Array) => void> = {
  uniform(random, drawn) {
    drawn[0] = 2 * random.uniform() - 1
  },
  // Box and Muller; 1 - u is never 0.
  normal(random, drawn) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
    drawn[0] = bounded(radius * Math.cos(2 * Math.PI * random.uniform()))
  },
  pareto(random, drawn) {
    drawn[0] = bounded(((1 - random.uniform()) ** (-1 / SHAPE) - PARETO_MEAN) / PARETO_DEVIATION)
  },
}

const SENT = 0
const LAST = 1

export interface PathOptions {
  /** With the same seed the same packets are lost, and so on. Default: a random one for each call. */
  seed?: number
  /** Milliseconds that each packet is on the way. Default 0. */
  delay?: number
  /** Milliseconds by which the delay varies, up and down. A delay is never negative. Default 0. */
  jitter?: number
  /** The distribution: within `jitter` (`uniform`, default), or with `jitter` as the standard deviation. */
  distribution?: Distribution
  /** With jitter, a packet waits for those that were sent before it. Default false, as in netem. */
  keepOrder?: boolean
  /** Probability from 0 to 1 that a packet is lost, or loss in bursts. */
  loss?: number | BurstLoss
  /** Probability that a packet is duplicated. */
  duplicate?: number
  /** Probability that a packet has no delay, and so overtakes others. Needs a `delay`. */
  reorder?: number
  /** Probability that one bit of a packet is changed. */
  corrupt?: number
  /** The rate of the path, in bits a second. */
  bitsPerSecond?: number
  /** Bytes on the wire that each frame takes besides its own: 24 on Ethernet. Default 0. */
  overhead?: number
  /** Packets on the way at one time; more are dropped. Default: no limit but the queue's credit, which drops none. */
  limit?: number
}

/** The path of one subscription: draws what happens to the next packet. */
export class Path {
  readonly limit: number
  readonly #loss: Loss
  readonly #duplicate: () => boolean
  readonly #reorder: () => boolean
  readonly #corrupt: () => boolean
  readonly #bit: Random
  readonly #vary: () => void
  readonly #drawn = new Float64Array(1)
  readonly #delay: number
  readonly #jitter: number
  readonly #keepOrder: boolean
  readonly #msPerByte: number
  readonly #overhead: number
  /** SENT: when all packets before were sent; LAST: when the last of them arrives. A double in a field would be an object. */
  readonly #times = new Float64Array(2)

  constructor(options: PathOptions, seed: number) {
    checkTimes(options)
    const { delay = 0, jitter = 0, distribution = 'uniform', keepOrder = false } = options
    const { loss = 0, bitsPerSecond = Number.POSITIVE_INFINITY, overhead = 0 } = options
    let streams = 0
    const stream = (): Random => new Random(seed, streams++)
    const chanceOf = (what: 'duplicate' | 'reorder' | 'corrupt'): (() => boolean) => {
      const threshold = thresholdOf(what, options[what] ?? 0)
      const random = stream()
      return () => random.chance(threshold)
    }
    this.limit = options.limit ?? Number.POSITIVE_INFINITY
    this.#loss = new Loss(stream(), loss)
    this.#duplicate = chanceOf('duplicate')
    this.#reorder = chanceOf('reorder')
    this.#corrupt = chanceOf('corrupt')
    this.#bit = stream()
    const [vary, varies] = [distributions[distribution], stream()]
    this.#vary = () => vary(varies, this.#drawn)
    this.#delay = delay
    this.#jitter = jitter
    this.#keepOrder = keepOrder
    this.#msPerByte = 8000 / bitsPerSecond
    this.#overhead = overhead
    this.#times.fill(Number.NEGATIVE_INFINITY)
  }

  loses(): boolean {
    return this.#loss.next()
  }
  doubles(): boolean {
    return this.#duplicate()
  }
  corrupts(): boolean {
    return this.#corrupt()
  }
  /** Which of `bits` bits is changed. */
  bitOf(bits: number): number {
    return (this.#bit.next() >>> 0) % bits
  }

  /** Sets `at[0]`, the time at which a packet is sent, to the time at which it arrives. */
  due(slots: Slots, slot: number, at: Float64Array): void {
    const times = this.#times
    if (this.#msPerByte > 0) {
      const bytes = wireBytes(slots, slot, framesOf(slots, slot), this.#overhead)
      times[SENT] = Math.max(at[0], times[SENT]) + bytes * this.#msPerByte
      at[0] = times[SENT]
    }
    if (this.#reorder()) return
    if (this.#jitter > 0) {
      this.#vary()
      at[0] += Math.max(0, this.#delay + this.#jitter * this.#drawn[0])
    } else at[0] += this.#delay
    if (!this.#keepOrder) return
    times[LAST] = Math.max(times[LAST], at[0])
    at[0] = times[LAST]
  }
}

function checkTimes(options: PathOptions): void {
  const { delay = 0, jitter = 0, distribution = 'uniform', reorder = 0, overhead = 0 } = options
  for (const [name, value] of Object.entries({ delay, jitter, overhead }))
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${name} can not be ${value}`)
  const { bitsPerSecond = 1, limit = 1 } = options
  if (!(bitsPerSecond > 0)) throw new RangeError(`bitsPerSecond can not be ${bitsPerSecond}`)
  if (!(limit >= 1)) throw new RangeError(`a limit of ${limit} lets no packet through`)
  if (!Object.hasOwn(distributions, distribution))
    throw new RangeError(`there is no distribution ${distribution}: ${Object.keys(distributions).join(', ')}`)
  if (reorder > 0 && delay === 0)
    throw new RangeError('reorder needs a delay: it sends packets ahead of those that are delayed')
}
