// The iterator over the packets of a burst, borrowed, held or detached.

/** A burst. */
interface Indexed<P> {
  readonly length: number
  packet(index: number): P
}

// The iterator is its own result object, so that a loop over a burst makes one object rather than one per packet.
export class PacketIterator<P> implements Iterator<P> {
  value!: P
  done = false
  #next = 0

  constructor(readonly burst: Indexed<P>) {}

  next(): IteratorResult<P> {
    if (this.#next < this.burst.length) this.value = this.burst.packet(this.#next++)
    else this.done = true
    return this as IteratorResult<P>
  }
}
