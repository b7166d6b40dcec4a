// Packets that wait for room in a capture that blocks, with a lease on each: they stay charged to their queue, whose credit
// runs out. First in, first out, with a list for each burst that did not fit.
import type { Slots } from '../packet/packet.js'
import type { Timestamp } from './pcapng.js'

export interface HeldPackets<Port> {
  readonly slots: Slots
  readonly ids: Uint32Array
  readonly port: Port
  readonly time: Timestamp
  /** Index of the first packet that still waits. */
  next: number
}

export class Held<Port> {
  readonly #lists: HeldPackets<Port>[] = []
  length = 0

  get first(): HeldPackets<Port> | undefined {
    return this.#lists[0]
  }

  /** Takes a lease on each packet. */
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
