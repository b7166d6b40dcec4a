// The FIFO queue of a capture with `overflow: 'block'`. It contains packets that wait for room in the buffer, and has a
// lease on each of them. So the packets stay charged to their source queue, and the source stops when its credit is
// used up. The FIFO has one list for each burst that did not fit.
import type { Slots } from '../packet/packet.js'
import type { Timestamp } from './pcapng.js'

export interface HeldPackets<Port> {
  readonly slots: Slots
  readonly ids: Uint32Array
  readonly port: Port
  readonly time: Timestamp
  /** Index of the first packet that is still waiting. */
  next: number
}

export class Held<Port> {
  readonly #lists: HeldPackets<Port>[] = []
  /** Number of waiting packets. */
  length = 0

  get first(): HeldPackets<Port> | undefined {
    return this.#lists[0]
  }

  /** Adds the packets from index `from` to `to` and takes a lease on each. */
  push(slots: Slots, ids: Uint32Array, from: number, to: number, port: Port, time: Timestamp): void {
    for (let i = from; i < to; i++) slots.retain(ids[i])
    const list = { slots, ids: ids.slice(from, to), port, time, next: 0 }
    slots.holders?.set(list, 'capture()')
    this.#lists.push(list)
    this.length += to - from
  }

  /** Releases the packets of the first list before index `next`. */
  releaseBefore(list: HeldPackets<Port>, next: number): void {
    const from = list.next
    list.next = next
    this.length -= next - from
    if (next === list.ids.length) {
      this.#lists.shift()
      list.slots.holders?.delete(list)
    }
    list.slots.releaseAll(list.ids, from, next)
  }
}
