// VhostDevice: one connection of a front end, as an Observable of its events, with the queues of its rings. The work is done
// in device/session.ts (control) and in data/ (packets). librte_vhost's `vid`.
import { Observable, type SchedulerLike, takeUntil } from 'rxjs'
import { type Explanation, explain } from '../../control/explain.js'
import { VhostError } from '../../errors.js'
import { DeviceMeter, type DeviceStatsSample } from '../../queue/meter.js'
import type { VhostQueue, VhostSink } from '../../queue/queue.js'
import type { DeviceStats } from '../../queue/stats.js'
import { snapshotOf } from '../event-translation.js'
import type { DeviceEvent, PeerCredentials } from '../events.js'
import type { DeviceSession } from '../session.js'
import type { QueuePairs } from './queue-pairs.js'

/**
 * One connection of a front end. As an Observable it gives each subscriber a `snapshot` and then live events; `ready`
 * and `stopped` repeat (a guest's reboot is a `stopped` and a `ready`), and it completes when the connection has closed.
 * Made by a {@link VhostDriver}.
 */
export class VhostDevice extends Observable<DeviceEvent> {
  /** Unique in this process; rises with every connection. */
  readonly id: number
  /** The path of the socket. */
  readonly path: string
  readonly #session: DeviceSession
  readonly #pairs: QueuePairs
  readonly #meter: DeviceMeter

  /** @internal */
  constructor(session: DeviceSession, events: Observable<DeviceEvent>, pairs: QueuePairs) {
    super(subscriber => {
      if (!session.closed) subscriber.next(snapshotOf(session.state))
      return events.subscribe(subscriber)
    })
    this.#session = session
    this.#pairs = pairs
    this.#meter = new DeviceMeter(pairs)
    this.id = session.id
    this.path = session.path
  }

  /** The packets that leave this guest, by one queue pair or by all. Completes with the device. */
  fromGuest(pair?: number): VhostQueue {
    this.#check(pair)
    return this.#pairs.fromGuest(pair)
  }

  /**
   * A sink for packets to this guest, by one queue pair or by all. By all, each packet goes to the pair on which the guest
   * last sent that flow, or else to one of the pairs in use that the flow's addresses and ports select.
   */
  toGuest(pair?: number): VhostSink {
    this.#check(pair)
    return this.#pairs.toGuest(pair)
  }

  /**
   * Why the device is not ready, or why a ring does not run, as text and as data. `explain().text` has lines like
   * `ring 1: no kick fd; not enabled`.
   */
  explain(): Explanation {
    return explain(this.#session.state)
  }

  /**
   * Counters of the queues on this connection's rings, all pairs together, since the start or `resetStats()`. They stay
   * readable when the device is gone.
   */
  get stats(): DeviceStats {
    return this.#meter.now()
  }

  /** `stats` at every interval (default 1,000 ms), with changes and rates. Completes with the device. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<DeviceStatsSample> {
    return this.#meter.every(ms, scheduler).pipe(takeUntil(this.#pairs.ended))
  }

  /** Sets `stats` of this device to zero, but not those of its queues. */
  resetStats(): void {
    this.#meter.reset()
  }

  /** The process at the other end, as the kernel knows it. */
  get peer(): PeerCredentials | undefined {
    return this.#session.peer
  }

  /** Replaces the configuration space, for a driver with the option `config`. The front end is told to read it again. */
  changeConfig(bytes: Uint8Array): void {
    this.#session.changeConfig(bytes)
  }

  /** Ends the connection. The driver accepts the front end's next connection. */
  close(): void {
    this.#session.close('closed')
  }

  #check(pair: number | undefined): void {
    const { closed, state } = this.#session
    const { queuePairs } = state.offered
    if (closed)
      throw new VhostError('ERR_VHOST_DEVICE_GONE', `device ${this.id} is gone`, {
        device: this.id,
        path: this.path,
      })
    if (pair !== undefined && !(Number.isInteger(pair) && pair >= 0 && pair < queuePairs))
      throw new VhostError('ERR_VHOST_QUEUE_INVALID', `device ${this.id} has no queue pair ${pair}`, {
        device: this.id,
        fix: `use 0 to ${queuePairs - 1}, or offer more with the driver's option queuePairs`,
      })
  }
}
