// `replay`: a capture as a source of packets. A source queue as for a guest, on a ring that is a file (replay-port.ts). A
// subclass of Observable, so it must not define members that rxjs 7 has: source, operator, lift, forEach, pipe.
import { Observable, type Subscriber } from 'rxjs'
import { dataPlane } from '../data/env.js'
import type { DataPlane } from '../data/plane.js'
import type { Target } from '../data/source/delivery.js'
import { SourceQueue } from '../data/source/source.js'
import { VhostError } from '../errors.js'
import type { Burst } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import { FileInput, type Input, MemoryInput } from './input.js'
import { ReplayPort } from './replay-port.js'

/** How often and how fast a capture is sent. */
export interface ReplayOptions {
  /** 1 (default): as recorded, to the millisecond; 2: twice as fast; `Infinity`: as fast as the subscriber takes them. */
  speed?: number
  /** How often the file is sent. Default 1; `Infinity`: until unsubscribed. */
  loop?: number
  /** The most packets of a burst. Default 64. */
  burst?: number
  /** Packets under lease at which it stops reading. Default 1,024. */
  highWaterMark?: number
  /** Bytes under lease at which it stops reading. Default 8 MiB. */
  highWaterBytes?: number
}

/** The packets of a capture, as bursts. Each subscription reads the file from its start. */
export class Replay extends Observable<Burst> {
  /** The same packets, one by one. A burst per `next` is many times cheaper. */
  readonly packets: Observable<Packet>

  /** @internal */
  constructor(plane: () => DataPlane, file: string | Uint8Array, options: ReplayOptions) {
    super(subscriber => run(plane(), file, options, subscriber, queue => queue.addBursts(subscriber)))
    this.packets = new Observable(subscriber =>
      run(plane(), file, options, subscriber, queue => queue.addPackets(subscriber as Target<Packet>)),
    )
  }
}

/**
 * Emits the packets of a pcapng file: a source of bursts, as `fromGuest()` is.
 *
 * ```
 * file:     H-(1 2 3)--------(4)--S
 *           replay('vm.pcapng')
 * result:   --(1 2 3)--------(4|)
 *           replay('vm.pcapng', { speed: Infinity, loop: 2 })
 * result:   (1 2 3 4 1 2 3 4|)
 * ```
 *
 * Emits the packets of all interfaces, in the order of the file; a packet that a `snaplen` cut off is emitted as it was
 * captured. A packet that is late, since the subscriber took no more, is emitted at once. Packets of less than 14 bytes are
 * left out.
 *
 * **Leases.** As those of a guest's queue: packets are in the pool, and charged to an account of the subscription. Without
 * credit it stops reading. The end of a subscription releases all packets that no one holds; `retry()` begins with the
 * first packet again.
 *
 * @param file A path, or the bytes of a file.
 * @return Fails with `ERR_VHOST_CAPTURE_FAILED` when the file can't be read, and with `ERR_VHOST_CAPTURE_INVALID`, after the
 * packets before, when it is no capture of Ethernet frames.
 * @example
 * replay('vm.pcapng', { speed: 10 }).pipe(enqueue(vm.toGuest())).subscribe()
 */
export function replay(file: string | Uint8Array, options: ReplayOptions = {}): Replay {
  return replayOn(dataPlane, file, options)
}

/** `replay` on a given pool and clock. @internal */
export function replayOn(
  plane: () => DataPlane,
  file: string | Uint8Array,
  options: ReplayOptions = {},
): Replay {
  const { speed = 1, loop = 1, burst = 1, highWaterMark = 1, highWaterBytes = 1 } = options
  if (!(speed > 0)) throw new RangeError(`a speed can not be ${speed}`)
  if (!(loop === Infinity || (Number.isInteger(loop) && loop > 0)))
    throw new RangeError(`a capture can not be sent ${loop} times`)
  if (!(burst > 0 && highWaterMark > 0 && highWaterBytes > 0))
    throw new RangeError('burst, highWaterMark and highWaterBytes are positive numbers')
  return new Replay(plane, file, options)
}

function run<T>(
  plane: DataPlane,
  file: string | Uint8Array,
  { speed = 1, loop = 1, ...options }: ReplayOptions,
  subscriber: Subscriber<T>,
  add: (queue: SourceQueue) => void,
): () => void {
  const queue = new SourceQueue(plane, { ...options, poll: 'interrupt' })
  const input = (onMore: () => void, onError: (error: Error) => void): Input =>
    typeof file === 'string' ? new FileInput(file, onMore, onError) : new MemoryInput(file)
  const onEnd = (error?: unknown): void => {
    if (error === undefined) queue.close()
    else subscriber.error(told(error, file))
  }
  queue.attach(new ReplayPort(plane, { speed, loop, input, onEnd }))
  add(queue)
  return () => {
    queue.remove(subscriber as Target<unknown>)
    queue.close()
  }
}

function told(error: unknown, file: string | Uint8Array): unknown {
  if (error instanceof VhostError || typeof file !== 'string') return error
  const { code: reason, message } = error as NodeJS.ErrnoException
  return new VhostError('ERR_VHOST_CAPTURE_FAILED', `the capture ${file} can not be read (${message})`, {
    path: file,
    reason,
    cause: error,
    fix: 'check the path, and that this process may read it',
  })
}
