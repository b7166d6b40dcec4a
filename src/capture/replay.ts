// `replay`: a source of packets from a capture. It uses the same source queue as a guest, but the queue's ring is a
// file (replay-port.ts). Replay is a subclass of Observable, so it must not define members that rxjs 7 uses: source,
// operator, lift, forEach, pipe.
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

/** Options of `replay`. */
export interface ReplayOptions {
  /**
   * Speed of the replay. 1 (default) replays the recorded times with a precision of a millisecond, 2 is twice as fast,
   * and `Infinity` is as fast as the subscriber accepts packets.
   */
  speed?: number
  /** Number of times that the file is replayed. Default 1. `Infinity` repeats it until the subscriber unsubscribes. */
  loop?: number
  /** Maximum number of packets per burst. Default 64. */
  burst?: number
  /** Number of packets under lease at which the replay stops reading. Default 1,024. */
  highWaterMark?: number
  /** Number of bytes under lease at which the replay stops reading. Default 8 MiB. */
  highWaterBytes?: number
}

/** Emits the packets of a capture in bursts. Each subscription reads the file from its start. */
export class Replay extends Observable<Burst> {
  /** Emits the same packets one by one. Bursts cost much less CPU time per packet. */
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
 * Emits the packets of a pcapng file in bursts, like `fromGuest()`.
 *
 * ```
 * file:     H-(1 2 3)--------(4)--S
 *           replay('vm.pcapng')
 * result:   --(1 2 3)--------(4|)
 *           replay('vm.pcapng', { speed: Infinity, loop: 2 })
 * result:   (1 2 3 4 1 2 3 4|)
 * ```
 *
 * Emits the packets of all interfaces in the order of the file. If `snaplen` truncated a packet, only its captured
 * bytes are emitted. If a packet is late because the subscriber had no credit, it is emitted as soon as possible.
 * Packets of less than 14 bytes are skipped.
 *
 * **Leases.** Leases work as for a guest's queue: packets are in the pool and are charged to the subscription's
 * account. The replay stops reading when its credit is used up. The end of a subscription releases all packets that
 * are not retained. `retry()` starts again with the first packet.
 *
 * @param file A path, or the bytes of a file.
 * @return The source. It fails with `ERR_VHOST_CAPTURE_FAILED` if the file can't be read. If the file is not a valid
 * capture of Ethernet frames, it emits the packets before the fault and fails with `ERR_VHOST_CAPTURE_INVALID`.
 * @example
 * replay('vm.pcapng', { speed: 10 }).pipe(enqueue(vm.toGuest())).subscribe()
 */
export function replay(file: string | Uint8Array, options: ReplayOptions = {}): Replay {
  return replayOn(dataPlane, file, options)
}

/** Like `replay`, with a given pool and clock. @internal */
export function replayOn(
  plane: () => DataPlane,
  file: string | Uint8Array,
  options: ReplayOptions = {},
): Replay {
  const { speed = 1, loop = 1, burst = 1, highWaterMark = 1, highWaterBytes = 1 } = options
  if (!(speed > 0)) throw new RangeError(`speed must be a positive number, not ${speed}`)
  if (!(loop === Infinity || (Number.isInteger(loop) && loop > 0)))
    throw new RangeError(`loop must be a positive integer or Infinity, not ${loop}`)
  if (!(burst > 0 && highWaterMark > 0 && highWaterBytes > 0))
    throw new RangeError('burst, highWaterMark and highWaterBytes must be positive numbers')
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
    else subscriber.error(toVhostError(error, file))
  }
  queue.attach(new ReplayPort(plane, { speed, loop, input, onEnd }))
  add(queue)
  return () => {
    queue.remove(subscriber as Target<unknown>)
    queue.close()
  }
}

function toVhostError(error: unknown, file: string | Uint8Array): unknown {
  if (error instanceof VhostError || typeof file !== 'string') return error
  const { code: reason, message } = error as NodeJS.ErrnoException
  return new VhostError('ERR_VHOST_CAPTURE_FAILED', `the capture ${file} cannot be read (${message})`, {
    path: file,
    reason,
    cause: error,
    fix: 'check the path, and that this process has permission to read the file',
  })
}
