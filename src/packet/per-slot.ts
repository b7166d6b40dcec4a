// Objects that go with the slots of a pool, one for each, so that none is made for a packet. Below the operators; it knows
// nothing of what the objects are.
import type { Slots } from './slots.js'

/** For each pool, a list by slot, which is filled as objects are made. @internal */
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
