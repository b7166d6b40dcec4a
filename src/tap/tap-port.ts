// TapPort: a TAP interface with the two ends that a guest has, so that a guest reaches the host's network. Thin: the ends
// are the queues of src/data on ports of ports.ts.
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

/** What a `TapPort` can be told. All have defaults. */
export interface TapPortOptions {
  /**
   * An fd that this process inherited, attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR, from someone who may
   * make one. It is taken over. The name is then not used.
   */
  fd?: number
  /** The interface is set up (`ip link set … up`). Default false: someone else does it. */
  up?: boolean
  /** Its MTU, 68 to 65,535. Default 1,500, as the kernel makes it. */
  mtu?: number
  /** The interface stays when the port is closed, and can be opened again. Default false. */
  persist?: boolean
  /** What the guest behind this port takes unfinished; see {@link TapPort.setOffloads}. Default nothing. */
  offloads?: readonly FeatureName[]
  /** How it is watched. Default `adaptive`: drain, look a little longer, then sleep until the kernel has a frame. */
  poll?: PollMode
  /** Packets under lease before it reads no more. Default 1,024. */
  highWaterMark?: number
  /** Bytes likewise. Default 8 MiB. */
  highWaterBytes?: number
  /** Packets of one burst at most. Default 64. */
  burst?: number
  /** For `source.subscribe(tap.toHost())`; the operators have options of their own. Default `block`. */
  overflow?: Overflow
  /** Aborted: the port is closed. */
  signal?: AbortSignal
}

/** What happens to a `TapPort`. */
export type TapEvent =
  /** The kernel has taken the interface away, `reason` is the errno's name: `EBADFD`, it was deleted. The port is closed. */
  | { type: 'gone'; name: string; reason: string }
  /** All leases on packets from the host are held and nothing was released for a while; `holders` says by whom. */
  | { type: 'stalled'; packets: number; holders: Readonly<Record<string, number>> }
  /** The last event. */
  | { type: 'closed'; name: string }

/**
 * A TAP interface: what the host sends into it is a source, and what goes into its sink the host receives. Both are those of
 * a guest, with bursts, leases, credit, overflow and counters, so that all operators fit.
 *
 * ```
 * merge(
 *   vm.fromGuest().pipe(enqueue(tap.toHost())),
 *   tap.fromHost().pipe(enqueue(vm.toGuest())),
 * )
 * ```
 *
 * The interface exists from the constructor on, to be given an address, until `close()`. Frames are read while someone is
 * subscribed to `fromHost()`; who is not read for long enough has his frames dropped by the kernel, which counts them (`ip -s
 * link`). A port that is subscribed keeps the process alive.
 *
 * @throws `ERR_VHOST_TAP_FAILED`, whose `reason` is the errno's name; `ERR_VHOST_INVALID_ARGUMENT` for a name that no
 * interface can have, and for options that contradict each other.
 */
export class TapPort {
  /** As the kernel has it. */
  readonly name: string
  /** Never errors; completes when the port is closed. */
  readonly events: Observable<TapEvent>
  readonly #device: TapDevice
  readonly #events = new Subject<TapEvent>()
  readonly #source: SourceQueue
  readonly #sink: SinkQueue
  readonly #queue: VhostQueue
  readonly #way: VhostSink
  #forgetSignal = (): void => {}
  #closed = false

  /** @param name Up to 15 bytes; an interface that is there is opened, another is made. Default: the kernel chooses. */
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
    this.#way = new VhostSink(this.#sink)
    this.events = this.#events.asObservable()
    try {
      this.setOffloads(offloads)
      this.#source.attach(new FromHostPort(this.#device, plane.pool.exchange))
      this.#sink.attach(new ToHostPort(this.#device, plane.pool.exchange))
    } catch (error) {
      this.close()
      throw error
    }
    this.#forgetSignal = onAbort(signal, () => this.close())
  }

  /** What the host sends into the interface. Completes when the port is closed. */
  fromHost(): VhostQueue {
    return this.#queue
  }

  /**
   * The way into the host. Its drops: `link-down` while the interface is not up, `refused` for frames that the kernel does not
   * take, `runt`, and `gone` when the port is closed.
   */
  toHost(): VhostSink {
    return this.#way
  }

  /**
   * Says what may be left undone in frames from the host, by what the guest that gets them has negotiated: checksums
   * (`VIRTIO_NET_F_GUEST_CSUM`) and segmentation (`GUEST_TSO4`, `GUEST_TSO6`, `GUEST_ECN`, `GUEST_UFO`). Other features may be
   * in the list, so that of a device's `negotiated` and `features` events will do. In the other direction the kernel takes
   * whatever a guest leaves undone.
   */
  setOffloads(features: readonly FeatureName[]): void {
    this.#device.setOffloads(features)
  }

  /** Ends the port: subscribers complete, what is kept is dropped, and the interface goes, unless it is persistent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#forgetSignal()
    this.#source.close()
    this.#sink.close()
    this.#device.close()
    this.#events.next({ type: 'closed', name: this.name })
    this.#events.complete()
  }

  /** `close()`: `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** `close()`: `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
