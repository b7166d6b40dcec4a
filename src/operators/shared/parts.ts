// Splits a burst among targets, for the operators that spread packets (groupByFlow, roundRobin, hashTo, route): first a list
// of slot ids for each target, then a burst for each. Splitting calls no target, so a target that makes the source emit
// again finds no split half done.
import {
  type Burst,
  type BurstCore,
  borrow,
  coreFrom,
  coreOf,
  endBorrow,
  originIndex,
  skip,
  skipRest,
} from '../../packet/burst.js'

/** In `part`: the target gets nothing of the burst that is being split. */
export const NO_PART = -1

export interface PartTarget {
  /** The number of its part while a burst is split; NO_PART before and after. */
  part: number
}

/** The operator that gives parts to their targets. */
export interface PartGiver<T> {
  readonly closed: boolean
  give(target: T, burst: Burst): void
}

export class Parts<T extends PartTarget> {
  #count = 0
  readonly #targets: T[] = []
  readonly #cores: BurstCore[] = []

  /** Adds packet `index` of `input` to the part of `target`, at most once. */
  add(target: T, input: BurstCore, index: number): void {
    let { part } = target
    if (part === NO_PART) {
      part = this.#count++
      target.part = part
      this.#targets[part] = target
      this.#cores[part] = coreFrom(input, this.#cores[part] ?? null)
    }
    const core = this.#cores[part]
    core.ids[core.length++] = input.ids[index]
  }

  /**
   * Gives each part of `whole` to its target, in the order of their first packets. If `giver` closes meanwhile, the queue has
   * the packets that were not given for the next subscription.
   */
  give(giver: PartGiver<T>, whole: Burst): void {
    const input = coreOf(whole)
    const count = this.#count
    for (let part = 0; part < count; part++) this.#targets[part].part = NO_PART
    this.#count = 0
    if (count === 1 && this.#cores[0].length === input.length) {
      // One target gets all packets: it is given `whole` itself, without a second handle.
      this.#cores[0].length = 0
      giver.give(this.#targets[0], whole)
      return
    }
    for (let part = 0; part < count; part++) {
      const core = this.#cores[part]
      if (giver.closed) for (let i = 0; i < core.length; i++) skip(core, i)
      else {
        const burst = borrow(core)
        try {
          giver.give(this.#targets[part], burst)
        } finally {
          endBorrow(burst)
        }
        if (giver.closed) skipRest(core, input, input.length)
      }
      core.length = 0
    }
  }
}

/**
 * After a branch below one target ended half-way through its part, while the source goes on. Removes the mark in the burst,
 * which is not the source's, and, if `counted`, counts the packets that the branch was not given as dropped.
 */
export function dropCut(part: Burst, counted: boolean): void {
  const core = coreOf(part)
  const origin = core.origin ?? core
  const { cut } = origin
  if (cut < 0) return
  origin.cut = -1
  if (!counted) return
  for (let i = 0; i < core.length; i++)
    if (originIndex(core, i) >= cut) core.slots.dropped(core.ids[i], 'unsubscribed')
}
