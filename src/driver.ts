// VhostDriver: a path and the devices that connect to it. Listening begins with the first subscription and ends, path
// and all, before the last unsubscribe() returns. Pipelines hang on the driver, not on a connection: fromGuest() and
// toGuest() follow the current device. librte_vhost's rte_vhost_driver_register/start/unregister.
import { Observable } from 'rxjs'
import type { PollMode } from './data/plane.js'
import type { VhostDevice } from './device.js'
import { DriverLife } from './driver-life.js'
import type { DriverEvent } from './events.js'
import type { VhostQueue, VhostSink } from './queue.js'
import type { Overflow } from './sink.js'

export interface VhostDriverOptions {
  /** Who binds the socket. This version is the server; the front end connects. */
  role?: 'server'
  /**
   * A connected socket that this process inherited, as QEMU's back-end convention `--fd=N` passes it. The path is then a
   * name only; the driver completes when the connection is over.
   */
  fd?: number
  /** Connections at a time; one too many is closed and reported. Default 1. */
  maxDevices?: number
  /** The largest MTU that a front end may set; a larger one is refused, and QEMU starts no device. Default 65,535. */
  maxMtu?: number
  /**
   * The configuration space (virtio 1.2, 5.1.4) that front ends may read and write; offers CONFIG and BACKEND_REQ. Of no
   * use to QEMU's network devices, and QEMU 7.1 and 7.2 crash on it: default none.
   */
  config?: Uint8Array
  /** How rings are watched. Default `adaptive`: drain, look a little longer, then sleep until the guest kicks. */
  poll?: PollMode
  /** Packets under lease before a from-guest queue stops. Default 1,024. */
  highWaterMark?: number
  /** Bytes under lease before a from-guest queue stops. Default 8 MiB. */
  highWaterBytes?: number
  /** Packets of one burst at most. Default 64. */
  burst?: number
}

export interface SinkSettings {
  /** For `source.subscribe(sink)`; the operators have options of their own. Default `block`. */
  overflow?: Overflow
  /** Packets kept by a lossy overflow while the ring has no room. Default 256. */
  highWaterMark?: number
  /** While no device is there, or its ring does not run: drop (default), or keep by `overflow`. */
  whileAbsent?: 'drop' | 'block'
}

/**
 * A path, as an Observable of the devices that connect to it. Reference-counted: the first subscription listens, later
 * ones share it and get the live devices at once; when the last leaves, sockets are closed and the path is unlinked
 * before `unsubscribe()` returns. Pipelines that use `fromGuest()` or `toGuest()` count as subscriptions while they run.
 * Errors with a {@link VhostError} when the path can't be bound, which resets it: `retry` listens again.
 */
export class VhostDriver extends Observable<VhostDevice> {
  readonly path: string
  /** What belongs to no device. Never errors or completes. */
  readonly events: Observable<DriverEvent>
  readonly #life: DriverLife

  constructor(path: string, options: VhostDriverOptions = {}) {
    if (typeof path !== 'string') throw new TypeError('the path of the socket must be a string')
    checkOptions(options)
    const life = new DriverLife(path, options)
    super(subscriber => life.subscribe(subscriber))
    this.path = path
    this.#life = life
    this.events = life.events.asObservable()
  }

  /** Packets out of whichever guest is connected. Does not complete when it leaves: the next one's follow. */
  fromGuest(): VhostQueue {
    return this.#life.fromGuest()
  }

  /** The way into whichever guest is connected. */
  toGuest(settings?: SinkSettings): VhostSink {
    return this.#life.toGuest(settings ?? {})
  }

  /** An open driver does not keep the process alive. */
  unref(): this {
    this.#life.keepAlive(false)
    return this
  }

  /** An open driver keeps the process alive (the default). */
  ref(): this {
    this.#life.keepAlive(true)
    return this
  }
}

function checkOptions({ maxMtu, config }: VhostDriverOptions): void {
  if (maxMtu !== undefined && !(Number.isInteger(maxMtu) && maxMtu >= 68 && maxMtu <= 65535))
    throw new RangeError('maxMtu must be 68 to 65535')
  if (config !== undefined && (config.length === 0 || config.length > 256))
    throw new RangeError('config must be 1 to 256 bytes')
}
