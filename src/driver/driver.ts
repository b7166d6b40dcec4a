// VhostDriver: a path and the devices behind it. Listening, or connecting, begins with the first subscription and ends,
// path and all, before the last unsubscribe() returns. Pipelines hang on the driver, not on a connection: fromGuest() and
// toGuest() follow the current device. librte_vhost's rte_vhost_driver_register/start/unregister.
import { Observable, type SchedulerLike } from 'rxjs'
import type { FeatureName, ProtocolFeatureName } from '../control/feature-names.js'
import type { DriverEvent } from '../device/events.js'
import type { VhostDevice } from '../device/net/device.js'
import type { TraceEntry } from '../device/trace.js'
import { VhostError } from '../errors.js'
import { DeviceMeter, type DeviceStatsSample } from '../queue/meter.js'
import type { VhostQueue, VhostSink } from '../queue/queue.js'
import type { DeviceStats } from '../queue/stats.js'
import { DriverFeatures } from './features.js'
import { DriverLife } from './life.js'
import { checkOptions, type SinkSettings, type VhostDriverOptions } from './options.js'

const DEFAULTS: VhostDriverOptions = {}

/**
 * A path, as an Observable of the devices behind it. Reference-counted: the first subscription listens or connects, later
 * ones share it and get the live devices at once; when the last leaves, sockets are closed and the path is unlinked
 * before `unsubscribe()` returns. Pipelines that use `fromGuest()` or `toGuest()` count as subscriptions while they run.
 * Errors with a {@link VhostError} when the path can't be bound, which resets it: `retry` listens again.
 */
export class VhostDriver extends Observable<VhostDevice> {
  /** Of the socket. */
  readonly path: string
  readonly #life: DriverLife
  readonly #features: DriverFeatures
  #meter: DeviceMeter | undefined

  constructor(path: string, options: VhostDriverOptions = DEFAULTS) {
    checkOptions(path, options)
    let life: DriverLife | undefined
    const features = new DriverFeatures(options, () => life?.isOpen ?? false)
    const made = new DriverLife(path, options, features)
    life = made
    super(subscriber => made.subscribe(subscriber))
    this.path = path
    this.#life = made
    this.#features = features
  }

  /** What belongs to no device. Never errors or completes. */
  get events(): Observable<DriverEvent> {
    return this.#life.events.observable
  }

  /**
   * Every control message of its devices, decoded, in both directions. Does not open the driver. An entry is a line of a
   * recording by `JSON.stringify`; `DEBUG=rx-vhost:control` prints the same.
   */
  get trace$(): Observable<TraceEntry> {
    return this.#life.trace.observable
  }

  /**
   * Packets out of whichever guest is connected, of one queue pair or of all. Does not complete when it leaves: the next
   * one's follow.
   */
  fromGuest(pair?: number): VhostQueue {
    this.#checkPair(pair)
    return this.#life.fromGuest(pair)
  }

  /** The way into whichever guest is connected. */
  toGuest(settings?: SinkSettings): VhostSink {
    this.#checkPair(settings?.pair)
    return this.#life.toGuest(settings ?? {})
  }

  /**
   * What the driver's own queues counted, those of all pairs and all sinks, with every device that they followed, or since
   * `resetStats()`.
   */
  get stats(): DeviceStats {
    return this.#measured.now()
  }

  /** The same at every interval (default 1,000 ms), with what changed in it and rates. Does not open the driver. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<DeviceStatsSample> {
    return this.#measured.every(ms, scheduler)
  }

  /** `stats` of this driver begins at zero again; those of its queues do not. */
  resetStats(): void {
    this.#measured.reset()
  }

  /**
   * What this driver offers to guests. What they and their front ends make of it is in a device's `negotiated` event. It can
   * be changed while nobody is subscribed; a front end that comes back must find what it had.
   */
  getFeatures(): FeatureName[] {
    return this.#features.features
  }

  /** Offers these as well; throws for one that is not implemented. */
  enableFeatures(...names: FeatureName[]): this {
    this.#features.enable('virtio', names)
    return this
  }

  /** Takes these out of the offer. */
  disableFeatures(...names: FeatureName[]): this {
    this.#features.disable('virtio', names)
    return this
  }

  /** Offers exactly these, besides VHOST_USER_F_PROTOCOL_FEATURES, which only `disableFeatures` takes away. */
  setFeatures(names: readonly FeatureName[]): this {
    this.#features.set('virtio', names)
    return this
  }

  /** What of the vhost-user protocol this driver offers to front ends; the other three likewise. */
  getProtocolFeatures(): ProtocolFeatureName[] {
    return this.#features.protocolFeatures
  }

  /** Offers these as well. */
  enableProtocolFeatures(...names: ProtocolFeatureName[]): this {
    this.#features.enable('protocol', names)
    return this
  }

  /** Takes these out of the offer. */
  disableProtocolFeatures(...names: ProtocolFeatureName[]): this {
    this.#features.disable('protocol', names)
    return this
  }

  /** Offers exactly these. */
  setProtocolFeatures(names: readonly ProtocolFeatureName[]): this {
    this.#features.set('protocol', names)
    return this
  }

  /**
   * Ends the driver for good: its subscribers and its pipelines complete, devices and sockets are closed, and the path is
   * unlinked, all before it returns. What you hold stays yours. Who subscribes later is completed at once.
   *
   * ```ts
   * await using vm = new VhostDriver('/run/vm.sock')
   * ```
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.end()
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

  get #measured(): DeviceMeter {
    this.#meter ??= new DeviceMeter(this.#life.queues)
    return this.#meter
  }

  #checkPair(pair: number | undefined): void {
    const { queuePairs = 1 } = this.#features.offer
    if (pair !== undefined && !(Number.isInteger(pair) && pair >= 0 && pair < queuePairs))
      throw new VhostError('ERR_VHOST_QUEUE_INVALID', `there is no queue pair ${pair}`, {
        path: this.path,
        fix: `use 0 to ${queuePairs - 1}, or offer more with the option queuePairs`,
      })
  }
}
