// One object for each slot of a pool, so that operators need not make one per packet.
import type { Slots } from './packet.js'

/** For each pool, a list indexed by slot. Operators fill it as they make objects. @internal */
export class PerSlot<T> {
  readonly #lists = new WeakMap<Slots, (T | undefined)[]>()

  of(slots: Slots): (T | undefined)[] {
    let list = this.#lists.get(slots)
    if (list === undefined) {
      list = new Array<T | undefined>(slots.packets.length).fill(undefined)
      this.#lists.set(slots, list)
    }
    return list
  }
}
