// TapPort: a TAP interface with a source and a sink like those of a guest, so that guests can reach the host's network.
// Source and sink are the queues of src/data. They use the ports of ports.ts.
import { type Observable, Subject } from 'rxjs'
import { onAbort } from '../abort.js'
import { refLoop, unrefLoop } from '../addon/wakeup.js'
import type { FeatureName } from '../control/feature-names.js'
import { dataPlane } from '../data/env.js'
import { SinkQueue } from '../data/sink/sink.js'
import type { PollMode } from '../data/source/options.js'
import { SourceQueue } from '../data/source/source.js'
import type { Overflow } from '../packet/sink.js'
import { VhostQueue, VhostSink } from '../queue/queue.js'
import { TapDevice } from './device.js'
import { FromHostPort, ToHostPort } from './ports.js'

/** Options of a `TapPort`. All are optional. */
export interface TapPortOptions {
  /**
   * An inherited fd that is attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR. A process that may create TAP
   * interfaces passes it to this process. The port then owns the fd and ignores the name.
   */
  fd?: number
  /** Whether to set the interface up (`ip link set … up`). Default false. */
  up?: boolean
  /** The MTU of the interface in bytes, 68 to 65,535. Default: the kernel's default, 1,500. */
  mtu?: number
  /** Whether the interface stays after the port is closed, so that it can be opened again. Default false. */
  persist?: boolean
  /** The offload features of the guest that receives the packets: see {@link TapPort.setOffloads}. Default none. */
  offloads?: readonly FeatureName[]
  /**
   * How the port is polled. With `adaptive` (default) it reads all frames, spins for a short time, then sleeps until
   * the kernel has a frame.
   */
  poll?: PollMode
  /** Number of packets under lease at which the port stops reading. Default 1,024. */
  highWaterMark?: number
  /** Number of bytes under lease at which the port stops reading. Default 8 MiB. */
  highWaterBytes?: number
  /** Maximum number of packets per burst. Default 64. */
  burst?: number
  /** The overflow policy of `source.subscribe(tap.toHost())`. Operators have their own option. Default `block`. */
  overflow?: Overflow
  /** When the signal is aborted, the port closes. */
  signal?: AbortSignal
}

/** Events of a `TapPort`. */
export type TapEvent =
  /**
   * The interface is gone, and the port closes. `reason` is the name of the errno. `EBADFD` means that the interface
   * was deleted.
   */
  | { type: 'gone'; name: string; reason: string }
  /**
   * The credit for packets from the host is used up, and no lease was released for a while. `holders` is the number of
   * leases for each holder's name.
   */
  | { type: 'stalled'; packets: number; holders: Readonly<Record<string, number>> }
  /** The port is closed. This is the last event. */
  | { type: 'closed'; name: string }

/**
 * A TAP interface. Its source emits the packets that the host sends. Packets that you put into its sink go to the host.
 * Source and sink have bursts, leases, credit, overflow and counters like those of a guest, so all operators work with
 * them.
 *
 * ```
 * merge(
 *   vm.fromGuest().pipe(enqueue(tap.toHost())),
 *   tap.fromHost().pipe(enqueue(vm.toGuest())),
 * )
 * ```
 *
 * The constructor creates or opens the interface, so you can assign an address to it at once. `close()` removes it,
 * unless it is persistent. The port reads frames while `fromHost()` has a subscriber. While nobody reads, the kernel
 * queues some frames, then drops and counts frames (`ip -s link`). A port with a subscriber keeps the process alive.
 *
 * @throws `ERR_VHOST_TAP_FAILED` if the interface can't be opened: the error's `reason` is the name of the errno.
 * Throws `ERR_VHOST_INVALID_ARGUMENT` if the name is not valid for an interface, or if options contradict each other.
 */
export class TapPort {
  /** The name of the interface in the kernel. */
  readonly name: string
  /** Emits the events of the port. Never fails. Completes when the port is closed. */
  readonly events: Observable<TapEvent>
  readonly #device: TapDevice
  readonly #events = new Subject<TapEvent>()
  readonly #source: SourceQueue
  readonly #sink: SinkQueue
  readonly #queue: VhostQueue
  readonly #sinkFace: VhostSink
  #removeAbortListener = (): void => {}
  #closed = false

  /**
   * @param name The name of the interface, up to 15 bytes. If an interface with this name exists, it is opened.
   *   Otherwise it is created. Default: the kernel chooses a name.
   */
  constructor(name = '', options: TapPortOptions = {}) {
    const { offloads = [], overflow, signal } = options
    const plane = dataPlane()
    this.#device = new TapDevice(name, options)
    this.name = this.#device.name
    this.#device.onGone = reason => {
      this.#events.next({ type: 'gone', name: this.name, reason })
      this.close()
    }
    this.#source = new SourceQueue(plane, {
      ...options,
      onStart: refLoop,
      onStop: unrefLoop,
      onStalled: ({ held, holders }) => this.#events.next({ type: 'stalled', packets: held, holders }),
    })
    this.#sink = new SinkQueue(plane, { overflow })
    this.#queue = new VhostQueue(this.#source)
    this.#sinkFace = new VhostSink(this.#sink)
    this.events = this.#events.asObservable()
    try {
      this.setOffloads(offloads)
      this.#source.attach(new FromHostPort(this.#device, plane.pool.exchange))
      this.#sink.attach(new ToHostPort(this.#device, plane.pool.exchange))
    } catch (error) {
      this.close()
      throw error
    }
    this.#removeAbortListener = onAbort(signal, () => this.close())
  }

  /** Returns the source of packets that the host sends. It completes when the port is closed. */
  fromHost(): VhostQueue {
    return this.#queue
  }

  /**
   * Returns the sink for packets to the host. It counts drops by reason: `link-down` while the interface is not up,
   * `refused` for frames that the kernel does not accept, `runt` for frames that are too short, and `gone` after the
   * port is closed.
   */
  toHost(): VhostSink {
    return this.#sinkFace
  }

  /**
   * Sets the offloads that frames from the host may use. `features` are features of the guest that receives the frames:
   * checksums (`VIRTIO_NET_F_GUEST_CSUM`) and segmentation (`GUEST_TSO4`, `GUEST_TSO6`, `GUEST_ECN`, `GUEST_UFO`).
   * Other features are ignored, so you can pass the list of a device's `negotiated` or `features` event. For frames to
   * the host no setting is needed, because the kernel accepts every offload of a guest.
   */
  setOffloads(features: readonly FeatureName[]): void {
    this.#device.setOffloads(features)
  }

  /**
   * Closes the port. Subscribers complete, queued packets are dropped, and the interface is removed unless it is
   * persistent.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#removeAbortListener()
    this.#source.close()
    this.#sink.close()
    this.#device.close()
    this.#events.next({ type: 'closed', name: this.name })
    this.#events.complete()
  }

  /** Calls `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** Calls `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
