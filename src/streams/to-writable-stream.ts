// A sink as a WritableStream of the web. Its place: the end of pipeTo(). It knows nothing of who writes.
import { WritableStream, type WritableStreamDefaultController } from 'node:stream/web'
import { onAbort } from '../abort.js'
import type { HeldBurst } from '../packet/burst.js'
import type { PacketSink } from '../packet/sink.js'
import { Outlet, type OutletOptions } from './outlet.js'

/** Node has its signal from version 18 on, its types not yet. */
type Controller = WritableStreamDefaultController & { readonly signal: AbortSignal }

/**
 * The way into a guest as a `WritableStream`, each chunk a `HeldBurst`.
 *
 * ```
 * written:   --a--b--c---|
 *            toWritableStream(sink)
 * sink:      --a-----b--c                   the ring was full behind a
 * closed:    ------------|                  once the sink took all
 * ```
 *
 * A write's promise is resolved once the sink took the burst: with a full ring that is when the guest has posted buffers,
 * and `pipeTo()` stops reading. A ring that does not run drops, as `not-ready`, `no-device` or `gone`, and does not wait.
 *
 * **Leases.** What is written belongs to the stream, which releases it: once the sink has it, or when the stream is
 * aborted or has failed. What the sink accepted is the sink's, and still reaches its guest.
 *
 * Uses its driver until it is closed or aborted: close it, as you would close a file.
 *
 * @param sink Where the bursts go: `toGuest()` of a driver or a device.
 * @param options `overflow` as of `enqueue`; `strict` fails with `ERR_VHOST_OVERFLOW`. `highWaterMark` in bursts, default 1.
 *   With a `signal`, when it is aborted: the stream fails with `signal.reason`.
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

  /** What fails, fails the stream, which does not say so to its sink. */
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
      // Async: what it throws fails the stream, not the constructor.
      async start(own: WritableStreamDefaultController) {
        const controller = own as Controller
        attempt(() => outlet.open())
        // abort() waits for the write under way, which would wait for the guest.
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
      // The queue is dropped in silence when the stream fails. This is called once for each chunk on its way in.
      size(chunk) {
        outlet.written(chunk)
        return 1
      },
    },
  )
}
