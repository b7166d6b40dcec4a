// The base of the two writable streams into a sink. It records the written bursts, puts them into the sink one by one,
// and waits until the sink has put them into its ring.
//
// Ownership. The stream owns a written burst, even if the stream is about to end. When the sink accepts a burst, the
// sink owns it, even after the stream has ended.

import { VhostError } from '../errors.js'
import { borrow, coreOf, endBorrow, HeldBurst, isOpen, revoke } from '../packet/burst.js'
import type { Overflow, PacketSink } from '../packet/sink.js'

/** Options of a stream into a sink. */
export interface OutletOptions {
  /** What happens to packets when the guest's ring is full. Default `block`. A write waits only with `block`. */
  overflow?: Overflow
  /** Number of bursts that the stream queues before it signals backpressure to the writer. */
  highWaterMark?: number
  /** When the signal is aborted, the stream ends early and releases the bursts that it has queued. */
  signal?: AbortSignal
}

export class Outlet {
  readonly #sink: PacketSink
  readonly #overflow: Overflow
  /** Bursts that were written and not put into the sink yet. */
  readonly #waiting = new Set<HeldBurst>()
  #closed = false
  #leave = (): void => {}
  /** Stops waiting for the sink. */
  #endWait = (): void => {}

  constructor(sink: PacketSink, overflow: Overflow = 'block') {
    this.#sink = sink
    this.#overflow = overflow
  }

  /** Starts to use the sink. Throws the error of the sink's driver, if it has failed. */
  open(): void {
    this.#leave = this.#sink.use()
  }

  /** Records a chunk that was written. The stream passes it to `put()` later, unless the outlet is closed before. */
  written(chunk: unknown): void {
    if (!(chunk instanceof HeldBurst)) return
    if (this.#closed) takeBack(chunk)
    else this.#waiting.add(chunk)
  }

  /**
   * Puts a burst into the sink and releases it. Throws if `chunk` is not a burst, or if the sink is full and `overflow`
   * is `strict`.
   */
  put(chunk: unknown): void {
    if (!(chunk instanceof HeldBurst))
      throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'only bursts can be written to a sink', {
        fix: 'write bursts from toReadable(), dequeueBurst() or retain()',
      })
    this.#waiting.delete(chunk)
    const burst = borrow(coreOf(chunk))
    try {
      if (!this.#sink.accept(burst, this.#overflow))
        throw new VhostError('ERR_VHOST_OVERFLOW', "the sink is full and the overflow policy is 'strict'")
    } finally {
      endBorrow(burst)
      chunk.release()
    }
  }

  /**
   * Calls `done` when the next burst may be put into the sink: with `block` as soon as the ring has room, otherwise at
   * once.
   */
  whenReady(done: () => void): void {
    if (this.#overflow === 'block') this.whenDrained(done)
    else done()
  }

  /**
   * Calls `done` once, when the sink has put all packets into its ring, or when the outlet is closed. Never calls it
   * while the sink's code runs.
   */
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

  /** Releases the bursts that were written but not put into the sink. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#endWait()
    for (const held of this.#waiting) takeBack(held)
    this.#waiting.clear()
    this.#leave()
  }
}

// Releases a written burst. It uses revoke(), because the writer may also release the burst later: after revoke() a
// second release does nothing.
function takeBack(held: HeldBurst): void {
  if (isOpen(held)) revoke(held)
}
