// The base of both streams into a sink: the bursts that were written and wait, putting one into the sink, and the wait until
// the sink has put it into its ring.
//
// Ownership. A written burst belongs to the stream, also when the stream is about to end. A burst that the sink accepted
//   belongs to the sink, also after the stream has ended.

import { VhostError } from '../errors.js'
import { borrow, coreOf, endBorrow, HeldBurst, isOpen, revoke } from '../packet/burst.js'
import type { Overflow, PacketSink } from '../packet/sink.js'

/** Options of a stream into a sink. */
export interface OutletOptions {
  /** What happens to packets for which the guest's ring has no room. Default `block`: only with it a write waits. */
  overflow?: Overflow
  /** Bursts that wait in the stream before it signals backpressure to its writer. */
  highWaterMark?: number
  /** Ends the stream early: bursts that wait in it are released. */
  signal?: AbortSignal
}

export class Outlet {
  readonly #sink: PacketSink
  readonly #overflow: Overflow
  readonly #waiting = new Set<HeldBurst>()
  #closed = false
  #leave = (): void => {}
  /** Ends the wait for the sink. */
  #endWait = (): void => {}

  constructor(sink: PacketSink, overflow: Overflow = 'block') {
    this.#sink = sink
    this.#overflow = overflow
  }

  /** Begins to use the sink. Throws the error of the sink's driver. */
  open(): void {
    this.#leave = this.#sink.use()
  }

  /** A chunk was written. It is `put()` later, unless the outlet is closed before. */
  written(chunk: unknown): void {
    if (!(chunk instanceof HeldBurst)) return
    if (this.#closed) takeBack(chunk)
    else this.#waiting.add(chunk)
  }

  /** Puts a burst into the sink and releases it. Throws for any other chunk, and if a `strict` sink has no room. */
  put(chunk: unknown): void {
    if (!(chunk instanceof HeldBurst))
      throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'only bursts can be written to a sink', {
        fix: 'write what toReadable() gives, dequeueBurst() or retain()',
      })
    this.#waiting.delete(chunk)
    const burst = borrow(coreOf(chunk))
    try {
      if (!this.#sink.accept(burst, this.#overflow))
        throw new VhostError('ERR_VHOST_OVERFLOW', 'the sink has no room, and was asked to be strict')
    } finally {
      endBorrow(burst)
      chunk.release()
    }
  }

  /** Calls back when the next burst may be put: with `block` once the ring has room, otherwise at once. */
  whenReady(done: () => void): void {
    if (this.#overflow === 'block') this.whenDrained(done)
    else done()
  }

  /** Calls back once, when the sink has put all packets into its ring, or the outlet is closed. Never from inside the sink. */
  whenDrained(done: () => void): void {
    let waits = true
    let later = false
    const end = (): void => {
      if (!waits) return
      waits = false
      if (later) queueMicrotask(done)
      else done()
    }
    const cancel = this.#sink.whenDrained(end)
    later = true
    if (!waits) return
    this.#endWait = () => {
      cancel()
      end()
    }
  }

  /** Releases the bursts that were written and not put into the sink. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#endWait()
    for (const held of this.#waiting) takeBack(held)
    this.#waiting.clear()
    this.#leave()
  }
}

// The writer of a burst that was refused may release it, too: after revoke() that does nothing.
function takeBack(held: HeldBurst): void {
  if (isOpen(held)) revoke(held)
}
