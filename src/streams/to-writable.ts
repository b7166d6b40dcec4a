// Converts a sink to a Node.js Writable, for the end of pipeline().
import { addAbortSignal, Writable } from 'node:stream'
import { HeldBurst } from '../packet/burst.js'
import type { PacketSink } from '../packet/sink.js'
import { Outlet, type OutletOptions } from './outlet.js'

/**
 * Converts a sink, such as a guest's, to a Node.js `Writable` in object mode. Each object is a `HeldBurst`.
 *
 * ```
 * written:   --a--b--c---|
 *            toWritable(sink)
 * sink:      --a-----b--c                   the ring was full after burst a
 * 'finish':  ------------|                  after all bursts are in the ring
 * ```
 *
 * A write calls back after the burst is in the ring. If the ring is full, the write waits until the guest has posted
 * buffers. So `write()` returns `false` after `highWaterMark` bursts, and `pipeline()` stops reading. If the ring is
 * not running, a write does not wait: the packets are dropped as `not-ready`, `no-device` or `gone`.
 *
 * **Leases.** The stream owns each burst that is written. It releases the burst after the sink has accepted it, or when
 * the stream is destroyed. Packets that the sink accepted still reach its guest.
 *
 * The stream uses its driver from the next turn of the event loop until it has finished or is destroyed. So you must
 * end the stream, as you would close a file.
 *
 * @param sink The destination of the bursts: `toGuest()` of a driver or a device.
 * @param options `overflow` has the same meaning as for `enqueue`; with `strict` the stream fails with
 *   `ERR_VHOST_OVERFLOW`. `highWaterMark` is a number of bursts; the default is Node's default for objects. When
 *   `signal` is aborted, the stream is destroyed with an `AbortError`.
 */
export function toWritable(sink: PacketSink, options: OutletOptions = {}): Writable {
  return new SinkWritable(sink, options)
}

class SinkWritable extends Writable {
  readonly #outlet: Outlet

  constructor(sink: PacketSink, { overflow, highWaterMark, signal }: OutletOptions) {
    super({ objectMode: true, highWaterMark })
    this.#outlet = new Outlet(sink, overflow)
    if (signal) addAbortSignal(signal, this)
  }

  // A destroyed stream drops its buffer silently. So each chunk is recorded when it is written, and can be released
  // later.
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    this.#outlet.written(chunk)
    return super.write(chunk, ...(rest as []))
  }

  override end(chunk?: unknown, ...rest: unknown[]): this {
    if (!(chunk instanceof HeldBurst)) return super.end(chunk, ...(rest as []))
    this.write(chunk)
    return super.end(undefined, ...(rest as []))
  }

  override _construct(done: (error?: Error) => void): void {
    this.#try(() => this.#outlet.open(), done, done)
  }

  override _write(chunk: unknown, _: string, done: (error?: Error) => void): void {
    this.#try(
      () => this.#outlet.put(chunk),
      () => this.#outlet.whenReady(done),
      done,
    )
  }

  override _final(done: () => void): void {
    this.#outlet.whenDrained(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#outlet.close()
    done(error)
  }

  #try(work: () => void, done: () => void, failed: (error: Error) => void): void {
    try {
      work()
    } catch (error) {
      failed(error as Error)
      return
    }
    done()
  }
}
