// A sink as a WritableStream of the web, at the end of pipeTo().
import { WritableStream, type WritableStreamDefaultController } from 'node:stream/web'
import { onAbort } from '../abort.js'
import type { HeldBurst } from '../packet/burst.js'
import type { PacketSink } from '../packet/sink.js'
import { Outlet, type OutletOptions } from './outlet.js'

/** Node has the signal since version 18; its types do not. */
type Controller = WritableStreamDefaultController & { readonly signal: AbortSignal }

/**
 * The way into a guest as a `WritableStream`, each chunk a `HeldBurst`.
 *
 * ```
 * written:   --a--b--c---|
 *            toWritableStream(sink)
 * sink:      --a-----b--c                   the ring was full behind a
 * closed:    ------------|                  once all are in the ring
 * ```
 *
 * A write's promise is fulfilled once the burst is in the ring: if that is full, once the guest has posted buffers. Until
 * then `pipeTo()` stops reading. A ring that does not run drops, as `not-ready`, `no-device` or `gone`, and does not wait.
 *
 * **Leases.** The stream owns each burst that is written, and releases it once the sink has accepted it, or when the stream
 * is aborted or fails. Packets that the sink accepted still reach its guest.
 *
 * The stream uses its driver until it is closed or aborted: close it, as you would close a file.
 *
 * @param sink Where the bursts go: `toGuest()` of a driver or a device.
 * @param options `overflow` as of `enqueue`; `strict` fails with `ERR_VHOST_OVERFLOW`. `highWaterMark` in bursts, default 1.
 *   With a `signal`: when it is aborted, the stream fails with `signal.reason`.
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

  /** An error from `work` fails the stream, which then does not call close() or abort() of its sink. */
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
      // Async: an error fails the stream, instead of the constructor.
      async start(own: WritableStreamDefaultController) {
        const controller = own as Controller
        attempt(() => outlet.open())
        // abort() is called only after the current write, which may wait for the guest.
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
      // Called once for each chunk that is written. A stream that fails drops its queue silently, so chunks are recorded here.
      size(chunk) {
        outlet.written(chunk)
        return 1
      },
    },
  )
}
