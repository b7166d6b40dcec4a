// What both ways into a sink have in common: the bursts that were written and wait, the one that is put into the sink, and
// the wait until the sink took it. It knows no streams.
//
// Who owns what. What is written belongs to the stream, also when the stream is about to end. What the sink accepted is
//   the sink's, and survives the stream.

import { VhostError } from '../errors.js'
import { borrow, coreOf, endBorrow, HeldBurst, isOpen, revoke } from '../packet/burst.js'
import type { Overflow, PacketSink } from '../packet/sink.js'

/** What a stream into a sink can be told. */
export interface OutletOptions {
  /** What happens to packets that the guest's ring has no room for. Default `block`, by which alone a write waits. */
  overflow?: Overflow
  /** Bursts that wait in the stream before it asks who writes to wait. */
  highWaterMark?: number
  /** Ends the stream early: everything that waits in it is released. */
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

  /** A pipeline into the sink starts. Throws what the sink's driver fails with. */
  open(): void {
    this.#leave = this.#sink.use()
  }

  /** Something was written, which will be `put()` in its turn unless the outlet is closed first. */
  written(chunk: unknown): void {
    if (!(chunk instanceof HeldBurst)) return
    if (this.#closed) takeBack(chunk)
    else this.#waiting.add(chunk)
  }

  /** Puts a burst into the sink and releases it. Throws if it is none, or if a `strict` sink has no room. */
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

  /** Calls back when the next may be put: `block` waits for a ring without room, the others keep or drop. */
  whenReady(done: () => void): void {
    if (this.#overflow === 'block') this.whenDrained(done)
    else done()
  }

  /** Calls back once, when the sink took all, or the outlet is closed. Never from inside the sink. */
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

  /** Releases what was written and not put into the sink. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#endWait()
    for (const held of this.#waiting) takeBack(held)
    this.#waiting.clear()
    this.#leave()
  }
}

// Who wrote it may see that it was refused, and release it as well.
function takeBack(held: HeldBurst): void {
  if (isOpen(held)) revoke(held)
}
