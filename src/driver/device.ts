// One device of a driver: joins its session, its queues and the VhostDevice that users get, and passes on the session's events.
import { Subject } from 'rxjs'
import type { SessionOptions } from '../control/initial-state.js'
import type { DeviceEvent } from '../device/events.js'
import { VhostDevice } from '../device/net/device.js'
import { type QueueMaker, QueuePairs } from '../device/net/queue-pairs.js'
import { type DeviceHandlers, DeviceSession } from '../device/session.js'
import type { TraceWatcher } from '../device/trace.js'
import type { Connection } from '../transport/connection.js'

/** What a device needs of its driver. */
export interface DeviceOwner {
  readonly path: string
  /** The number of the driver in native code. */
  readonly number: number
  /** The weight of each of its devices. */
  readonly weight?: number
  readonly trace: TraceWatcher
  readonly queues: QueueMaker
  /** A device has told its subscribers this. */
  told(event: DeviceEvent): void
  /** The device is gone, and guest memory is not touched any more. */
  left(device: DriverDevice): void
}

export class DriverDevice implements DeviceHandlers {
  readonly session: DeviceSession
  readonly pairs: QueuePairs
  readonly face: VhostDevice
  readonly #owner: DeviceOwner
  readonly #events = new Subject<DeviceEvent>()

  constructor(owner: DeviceOwner, connection: Connection, offer: SessionOptions) {
    this.#owner = owner
    this.session = new DeviceSession(owner.path, connection, this, offer)
    this.pairs = new QueuePairs(this.session, owner.queues)
    this.face = new VhostDevice(this.session, this.#events, this.pairs)
  }

  get driver(): number {
    return this.#owner.number
  }

  get weight(): number | undefined {
    return this.#owner.weight
  }

  get trace(): TraceWatcher {
    return this.#owner.trace
  }

  event(event: DeviceEvent): void {
    this.#events.next(event)
    if (event.type === 'rarp') this.pairs.moved(event.mac)
    this.#owner.told(event)
  }

  ringState(ring: number, running: boolean): void {
    this.pairs.ringState(ring, running)
  }

  closed(): void {
    this.#owner.left(this)
    this.#events.complete()
  }
}
