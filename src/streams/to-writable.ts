// A sink as a Writable of Node, at the end of pipeline().
import { addAbortSignal, Writable } from 'node:stream'
import { HeldBurst } from '../packet/burst.js'
import type { PacketSink } from '../packet/sink.js'
import { Outlet, type OutletOptions } from './outlet.js'

/**
 * The way into a guest as a `Writable` of Node in object mode, each object a `HeldBurst`.
 *
 * ```
 * written:   --a--b--c---|
 *            toWritable(sink)
 * sink:      --a-----b--c                   the ring was full behind a
 * 'finish':  ------------|                  once all are in the ring
 * ```
 *
 * A write calls back once the burst is in the ring: if that is full, once the guest has posted buffers. So `write()`
 * returns `false` after `highWaterMark` bursts and `pipeline()` stops reading. A ring that does not run drops, as
 * `not-ready`, `no-device` or `gone`, and does not wait.
 *
 * **Leases.** The stream owns each burst that is written, and releases it once the sink has accepted it, or when the stream
 * is destroyed. Packets that the sink accepted still reach its guest.
 *
 * The stream uses its driver from the next turn until it has finished or is destroyed: end it, as you would close a file.
 *
 * @param sink Where the bursts go: `toGuest()` of a driver or a device.
 * @param options `overflow` as of `enqueue`; `strict` fails with `ERR_VHOST_OVERFLOW`. `highWaterMark` in bursts, default
 *   Node's own for objects. With a `signal`: when it is aborted, the stream is destroyed with an `AbortError`.
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

  // A stream that is destroyed drops its buffer silently, so each chunk is recorded when it is written.
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
