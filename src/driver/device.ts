// One device of a driver: its session, its queues, its face, and who hears what the session tells. It knows no other device.
import { Subject } from 'rxjs'
import type { SessionOptions } from '../control/initial-state.js'
import type { DeviceEvent } from '../device/events.js'
import { VhostDevice } from '../device/net/device.js'
import { type QueueMaker, QueuePairs } from '../device/net/queue-pairs.js'
import { type DeviceHandlers, DeviceSession } from '../device/session.js'
import type { TraceWatcher } from '../device/trace.js'
import type { Connection } from '../transport/connection.js'

/** The driver, as its devices see it. */
export interface DeviceOwner {
  readonly path: string
  /** What its devices have in common for native code. */
  readonly number: number
  readonly trace: TraceWatcher
  readonly queues: QueueMaker
  /** A device told this, and its subscribers have it. */
  told(event: DeviceEvent): void
  /** The device is gone: nothing of its guest is touched any more. */
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

  get trace(): TraceWatcher {
    return this.#owner.trace
  }

  event(event: DeviceEvent): void {
    this.#events.next(event)
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
