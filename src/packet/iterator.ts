// Walks over the packets of a burst, whichever form it has. Below the bursts; it knows no lease.

/** What is walked over. */
interface Indexed<P> {
  readonly length: number
  packet(index: number): P
}

// Its own result object: a loop over a burst makes one object, not one per packet.
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
