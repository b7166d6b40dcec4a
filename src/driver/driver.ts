// VhostDriver: the public class for one path and the devices behind it. What it does is in life.ts, its queues are in queues.ts.
// librte_vhost's rte_vhost_driver_register, start and unregister.
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
 * A socket path, as an Observable of the devices behind it. Reference-counted: the first subscription listens or connects,
 * later ones share the socket and get the live devices at once. When the last one ends, sockets are closed and the path is
 * unlinked before `unsubscribe()` returns. Pipelines that use `fromGuest()` or `toGuest()` count as subscriptions while they
 * run. Errors with a {@link VhostError} if the path can't be bound; a new subscription, for instance by `retry`, tries again.
 */
export class VhostDriver extends Observable<VhostDevice> {
  /** The path of the socket. */
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

  /** Events that belong to no device. Never errors or completes. */
  get events(): Observable<DriverEvent> {
    return this.#life.events.observable
  }

  /**
   * Every control message of its devices, decoded, in both directions. A subscription does not open the driver. Write each
   * entry with `JSON.stringify` on a line of its own for a recording. `DEBUG=rx-vhost:control` prints the same messages.
   */
  get trace$(): Observable<TraceEntry> {
    return this.#life.trace.observable
  }

  /**
   * Packets from the guest that is connected, by one queue pair or by all. Does not complete when the guest leaves: packets
   * of the next guest follow.
   */
  fromGuest(pair?: number): VhostQueue {
    this.#checkPair(pair)
    return this.#life.queues.fromGuest(pair)
  }

  /** A sink for packets to the guest that is connected. */
  toGuest(settings?: SinkSettings): VhostSink {
    this.#checkPair(settings?.pair)
    return this.#life.queues.toGuest(settings ?? {})
  }

  /**
   * Counters of the driver's own queues: all pairs and sinks together, over all devices that they followed, since the start or
   * `resetStats()`.
   */
  get stats(): DeviceStats {
    return this.#statsMeter.now()
  }

  /** `stats` at every interval (default 1,000 ms), with changes and rates. A subscription does not open the driver. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<DeviceStatsSample> {
    return this.#statsMeter.every(ms, scheduler)
  }

  /** Sets `stats` of this driver to zero, but not those of its queues. */
  resetStats(): void {
    this.#statsMeter.reset()
  }

  /**
   * The virtio features that this driver offers to guests. A device's `negotiated` event has those that the guest and its
   * front end use. The offer can be changed only while nobody is subscribed: a front end that reconnects must find what it had.
   */
  getFeatures(): FeatureName[] {
    return this.#features.features
  }

  /** Adds features to the offer. Throws for one that is not implemented. */
  enableFeatures(...names: FeatureName[]): this {
    this.#features.enable('virtio', names)
    return this
  }

  /** Removes features from the offer. */
  disableFeatures(...names: FeatureName[]): this {
    this.#features.disable('virtio', names)
    return this
  }

  /** Offers exactly these features, and VHOST_USER_F_PROTOCOL_FEATURES, which only `disableFeatures` removes. */
  setFeatures(names: readonly FeatureName[]): this {
    this.#features.set('virtio', names)
    return this
  }

  /** The vhost-user protocol features that this driver offers to front ends. */
  getProtocolFeatures(): ProtocolFeatureName[] {
    return this.#features.protocolFeatures
  }

  /** Adds protocol features to the offer. Throws for one that is not implemented. */
  enableProtocolFeatures(...names: ProtocolFeatureName[]): this {
    this.#features.enable('protocol', names)
    return this
  }

  /** Removes protocol features from the offer. */
  disableProtocolFeatures(...names: ProtocolFeatureName[]): this {
    this.#features.disable('protocol', names)
    return this
  }

  /** Offers exactly these protocol features. */
  setProtocolFeatures(names: readonly ProtocolFeatureName[]): this {
    this.#features.set('protocol', names)
    return this
  }

  /**
   * Ends the driver for good: its subscribers and pipelines complete, devices and sockets are closed, and the path is
   * unlinked, all before it returns. Leases that you hold stay valid. Later subscriptions complete at once.
   *
   * ```ts
   * await using vm = new VhostDriver('/run/vm.sock')
   * ```
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.end()
  }

  /** From now on the driver does not keep the process alive while it is open. */
  unref(): this {
    this.#life.keepAlive(false)
    return this
  }

  /** From now on the driver keeps the process alive while it is open (the default). */
  ref(): this {
    this.#life.keepAlive(true)
    return this
  }

  get #statsMeter(): DeviceMeter {
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
