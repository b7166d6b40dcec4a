// Converts a sink to a web WritableStream, for the end of pipeTo().
import { WritableStream, type WritableStreamDefaultController } from 'node:stream/web'
import { onAbort } from '../abort.js'
import type { HeldBurst } from '../packet/burst.js'
import type { PacketSink } from '../packet/sink.js'
import { Outlet, type OutletOptions } from './outlet.js'

/** Node supports the signal since version 18, but its types do not declare it. */
type Controller = WritableStreamDefaultController & { readonly signal: AbortSignal }

/**
 * Converts a sink, such as a guest's, to a web `WritableStream`. Each chunk is a `HeldBurst`.
 *
 * ```
 * written:   --a--b--c---|
 *            toWritableStream(sink)
 * sink:      --a-----b--c                   the ring was full after burst a
 * closed:    ------------|                  after all bursts are in the ring
 * ```
 *
 * The promise of a write is fulfilled after the burst is in the ring. If the ring is full, the write waits until the
 * guest has posted buffers, and `pipeTo()` stops reading. If the ring is not running, a write does not wait: the
 * packets are dropped as `not-ready`, `no-device` or `gone`.
 *
 * **Leases.** The stream owns each burst that is written. It releases the burst after the sink has accepted it, or when
 * the stream is aborted or fails. Packets that the sink accepted still reach its guest.
 *
 * The stream uses its driver until the stream is closed or aborted. So you must close the stream, as you would close a
 * file.
 *
 * @param sink The destination of the bursts: `toGuest()` of a driver or a device.
 * @param options `overflow` has the same meaning as for `enqueue`; with `strict` the stream fails with
 *   `ERR_VHOST_OVERFLOW`. `highWaterMark` is a number of bursts, default 1. When `signal` is aborted, the stream fails
 *   with `signal.reason`.
 */
export function toWritableStream(
  sink: PacketSink,
  { overflow, highWaterMark = 1, signal }: OutletOptions = {},
): WritableStream<HeldBurst> {
  const outlet = new Outlet(sink, overflow)
  let forget = (): void => {}

  function close(): void {
    forget()
    outlet.close()
  }

  /**
   * Calls `work`. If it throws, closes the outlet here, because a failed stream does not call close() or abort() below.
   */
  function attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      close()
      throw error
    }
  }

  return new WritableStream<HeldBurst>(
    {
      // start() is async, so that an error fails the stream and not the constructor.
      async start(own: WritableStreamDefaultController) {
        const controller = own as Controller
        attempt(() => outlet.open())
        // The signal closes the outlet at once. abort() would be too late: it is called only after the current write,
        // which may be waiting for the guest.
        controller.signal.addEventListener('abort', close, { once: true })
        forget = onAbort(signal, () => {
          close()
          controller.error(signal?.reason)
        })
      },
      write(chunk) {
        attempt(() => outlet.put(chunk))
        return new Promise(resolve => outlet.whenReady(resolve))
      },
      close() {
        return new Promise(resolve =>
          outlet.whenDrained(() => {
            close()
            resolve()
          }),
        )
      },
      abort: close,
    },
    {
      highWaterMark,
      // Called once for each written chunk. A stream that fails drops its queue silently. So each chunk is recorded
      // here, and can be released later.
      size(chunk) {
        outlet.written(chunk)
        return 1
      },
    },
  )
}
