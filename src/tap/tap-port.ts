// TapPort: a TAP interface with a source and a sink like those of a guest, so that a guest reaches the host's network. They
// are queues of src/data on the ports of ports.ts.
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

/** Options of a `TapPort`. All have defaults. */
export interface TapPortOptions {
  /**
   * An inherited fd that is attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR, from a process that may make one.
   * The port takes it over and ignores the name.
   */
  fd?: number
  /** Sets the interface up (`ip link set … up`). Default false. */
  up?: boolean
  /** Its MTU in bytes, 68 to 65,535. Default 1,500, which the kernel sets. */
  mtu?: number
  /** Keeps the interface when the port is closed, so that it can be opened again. Default false. */
  persist?: boolean
  /** Offloads of the guest that gets the packets; see {@link TapPort.setOffloads}. Default none. */
  offloads?: readonly FeatureName[]
  /** How it is polled. Default `adaptive`: drain, spin for a short time, then sleep until the kernel has a frame. */
  poll?: PollMode
  /** Packets under lease before the port stops reading. Default 1,024. */
  highWaterMark?: number
  /** Bytes under lease before the port stops reading. Default 8 MiB. */
  highWaterBytes?: number
  /** Most packets in one burst. Default 64. */
  burst?: number
  /** Applies to `source.subscribe(tap.toHost())`; operators have their own option. Default `block`. */
  overflow?: Overflow
  /** Closes the port when it is aborted. */
  signal?: AbortSignal
}

/** Events of a `TapPort`. */
export type TapEvent =
  /** The interface has gone, and the port closes. `reason` is the errno's name; `EBADFD`: the interface was deleted. */
  | { type: 'gone'; name: string; reason: string }
  /** All leases on packets from the host are held, and none was released for a while. `holders` counts them by holder's name. */
  | { type: 'stalled'; packets: number; holders: Readonly<Record<string, number>> }
  /** The last event. */
  | { type: 'closed'; name: string }

/**
 * A TAP interface. Its source has the packets that the host sends, and the host receives the packets that go into its sink.
 * Both have bursts, leases, credit, overflow and counters like those of a guest, so that all operators work with them.
 *
 * ```
 * merge(
 *   vm.fromGuest().pipe(enqueue(tap.toHost())),
 *   tap.fromHost().pipe(enqueue(vm.toGuest())),
 * )
 * ```
 *
 * The interface exists from the constructor on, so that it can be given an address, until `close()`. Frames are read while
 * `fromHost()` has a subscriber. While they are not read, the kernel queues some, then drops and counts them (`ip -s link`). A
 * port with a subscriber keeps the process alive.
 *
 * @throws `ERR_VHOST_TAP_FAILED`, whose `reason` is the errno's name; `ERR_VHOST_INVALID_ARGUMENT` for a name that no
 * interface can have, and for options that contradict each other.
 */
export class TapPort {
  /** The name that the interface has in the kernel. */
  readonly name: string
  /** Never errors; completes when the port is closed. */
  readonly events: Observable<TapEvent>
  readonly #device: TapDevice
  readonly #events = new Subject<TapEvent>()
  readonly #source: SourceQueue
  readonly #sink: SinkQueue
  readonly #queue: VhostQueue
  readonly #sinkFace: VhostSink
  #removeAbortListener = (): void => {}
  #closed = false

  /** @param name Up to 15 bytes. An existing interface is opened, otherwise one is made. Default: the kernel chooses a name. */
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

  /** The packets that the host sends. Completes when the port is closed. */
  fromHost(): VhostQueue {
    return this.#queue
  }

  /**
   * A sink for packets to the host. It counts drops as `link-down` while the interface is not up, `refused` for frames that the
   * kernel does not accept, `runt`, and `gone` when the port is closed.
   */
  toHost(): VhostSink {
    return this.#sinkFace
  }

  /**
   * Sets the offloads that frames from the host may use, by the features of the guest that gets them: checksums
   * (`VIRTIO_NET_F_GUEST_CSUM`) and segmentation (`GUEST_TSO4`, `GUEST_TSO6`, `GUEST_ECN`, `GUEST_UFO`). Other features in the
   * list are ignored, so that you can pass that of a device's `negotiated` or `features` event. In the other direction the
   * kernel takes every offload of a guest.
   */
  setOffloads(features: readonly FeatureName[]): void {
    this.#device.setOffloads(features)
  }

  /** Closes the port: subscribers complete, queued packets are dropped, and the interface goes unless it is persistent. */
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
