// VhostDevice: one connection of a front end, as an Observable of its events, with the queues of its rings. Thin: what
// happens is in device-session.ts (control) and data/ (packets). librte_vhost's `vid`.
import { Observable } from 'rxjs'
import type { DeviceSession } from './device-session.js'
import { VhostError } from './errors.js'
import type { DeviceEvent } from './events.js'
import type { VhostQueue, VhostSink } from './queue.js'
import type { QueuePair } from './queue-pair.js'

/**
 * One connection of a front end. As an Observable it gives each subscriber a `snapshot` and then live events; `ready`
 * and `stopped` repeat (a guest's reboot is a `stopped` and a `ready`), and it completes when the connection has closed.
 * Made by a {@link VhostDriver}.
 */
export class VhostDevice extends Observable<DeviceEvent> {
  /** Rises with every connection of this process. */
  readonly id: number
  /** The path that it connected to. */
  readonly path: string
  readonly #session: DeviceSession
  readonly #pair: QueuePair

  /** @internal */
  constructor(session: DeviceSession, events: Observable<DeviceEvent>, pair: QueuePair) {
    super(subscriber => {
      if (!session.closed) subscriber.next(session.snapshot())
      return events.subscribe(subscriber)
    })
    this.#session = session
    this.#pair = pair
    this.id = session.id
    this.path = session.path
  }

  /** The packets that leave this guest; completes with the device. Only pair 0 in this version. */
  fromGuest(pair = 0): VhostQueue {
    this.#check(pair)
    return this.#pair.fromGuest
  }

  /** The way into this guest. */
  toGuest(pair = 0): VhostSink {
    this.#check(pair)
    return this.#pair.toGuest
  }

  /** Another configuration space, for a driver that was given one; its front end is told to read it again. */
  changeConfig(bytes: Uint8Array): void {
    this.#session.changeConfig(bytes)
  }

  /** Ends the connection. The driver accepts the front end's next one. */
  close(): void {
    this.#session.close('closed')
  }

  #check(pair: number): void {
    const { closed } = this.#session
    if (closed)
      throw new VhostError('ERR_VHOST_DEVICE_GONE', `device ${this.id} is gone`, {
        device: this.id,
        path: this.path,
      })
    if (pair !== 0)
      throw new VhostError('ERR_VHOST_QUEUE_INVALID', `device ${this.id} has no queue pair ${pair}`, {
        device: this.id,
        fix: 'this version offers one pair: use pair 0',
      })
  }
}
