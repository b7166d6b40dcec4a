// Splits a burst among targets: a list of slot ids for each that gets some, in the order in which they come, and then a
// burst for each. Below the operators that spread packets (group-by-flow, spread, route). To split calls nobody, so
// whatever a target does in its turn, like sending another burst round, finds nothing half done.
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

/** In `part`: gets nothing of the burst that is being split. */
export const NO_PART = -1

export interface PartTarget {
  /** Which part it gets, while a burst is split; NO_PART before and after. */
  part: number
}

/** Who gives parts to their targets. */
export interface PartGiver<T> {
  readonly closed: boolean
  give(target: T, burst: Burst): void
}

export class Parts<T extends PartTarget> {
  #count = 0
  readonly #targets: T[] = []
  readonly #cores: BurstCore[] = []

  /** Packet number `index` of `input` goes to `target`, once at most. */
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
   * Gives each part of `whole`, in the order of their first packets. If `giver` is closed meanwhile, what was not given
   * stays with the queue.
   */
  give(giver: PartGiver<T>, whole: Burst): void {
    const input = coreOf(whole)
    const count = this.#count
    for (let part = 0; part < count; part++) this.#targets[part].part = NO_PART
    this.#count = 0
    if (count === 1 && this.#cores[0].length === input.length) {
      // The borrow itself goes on, and no second handle is needed.
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
 * A branch below one target ended half-way through its part, and the source goes on: what it was not given is dropped, and
 * counted if nobody else got it. Forgets the mark, which is not the source's.
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
