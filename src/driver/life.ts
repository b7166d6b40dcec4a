// The state of a driver: its users, its devices, and the origin of its connections (a listener or a connector). The first user
// opens the origin and the last one closes it, synchronously. Subscriptions and running pipelines are users.
import type { Subscriber } from 'rxjs'
import { onAbort } from '../abort.js'
import { refLoop, unrefLoop } from '../addon/wakeup.js'
import type { DeviceEvent, DriverEvent } from '../device/events.js'
import type { VhostDevice } from '../device/net/device.js'
import type { TraceEntry } from '../device/trace.js'
import type { QueueLife } from '../queue/life.js'
import { isAllowed } from '../transport/access.js'
import type { Connection } from '../transport/connection.js'
import type { Origin, OriginHandlers, Retry } from '../transport/origin.js'
import { type DeviceOwner, DriverDevice } from './device.js'
import type { DriverFeatures } from './features.js'
import { LateSubject } from './late-subject.js'
import type { VhostDriverOptions } from './options.js'
import { DriverOrigins } from './origins.js'
import { DriverQueues } from './queues.js'

export class DriverLife implements QueueLife, OriginHandlers, DeviceOwner {
  readonly path: string
  readonly events = new LateSubject<DriverEvent>()
  readonly trace = new LateSubject<TraceEntry>()
  readonly queues: DriverQueues
  readonly #options: VhostDriverOptions
  readonly #features: DriverFeatures
  readonly #origins: DriverOrigins
  // Both lists are replaced, never altered: code that is called in a loop over a list may change it.
  #subscribers: readonly Subscriber<VhostDevice>[] = []
  /** In the order in which they came. The driver's own queues follow the first. */
  #devices: readonly DriverDevice[] = []
  /** The features in use by the last device that was ready. */
  #used = 0n
  #users = 0
  #origin: Origin | undefined
  #isOpen = false
  #ended = false
  #removeAbortListener: (() => void) | undefined
  #keepAlive = true
  /** Whether it keeps the event loop alive. */
  #hasRef = false

  constructor(path: string, options: VhostDriverOptions, features: DriverFeatures) {
    this.path = path
    this.#features = features
    this.#options = options
    this.queues = new DriverQueues(options, this)
    this.#origins = new DriverOrigins(path, options, this)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  subscribe(subscriber: Subscriber<VhostDevice>): () => void {
    this.use()
    if (this.#ended) subscriber.complete()
    this.#subscribers = this.#subscribers.concat(subscriber)
    for (const { face } of this.#devices) subscriber.next(face)
    return () => {
      this.#subscribers = this.#subscribers.filter(other => other !== subscriber)
      this.leave()
    }
  }

  /** Ends the driver for good: all subscribers complete, then sockets are closed. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#complete()
    this.queues.end()
    if (this.#isOpen) this.#close()
  }

  keepAlive(on: boolean): void {
    this.#keepAlive = on
    this.#updateRef()
  }

  /** Adds a user; the first one opens. */
  use(): void {
    if (this.#options.signal?.aborted) this.end()
    if (this.#users === 0 && !this.#ended) this.#open()
    this.#users++
  }

  /** Removes a user; the last one closes. */
  leave(): void {
    if (--this.#users === 0 && this.#isOpen) this.#close()
  }

  #open(): void {
    this.#origin = this.#origins.open()
    this.#isOpen = true
    const { signal } = this.#options
    if (signal) this.#removeAbortListener = onAbort(signal, () => this.end())
    this.#updateRef()
    const { role, fd } = this.#options
    const type = role === 'client' && fd === undefined ? 'connecting' : 'listening'
    this.events.next({ type, path: this.path })
  }

  #close(): void {
    this.#isOpen = false
    this.#removeAbortListener?.()
    this.#origin?.close()
    this.#origin = undefined
    for (const { session } of this.#devices) session.close('driver_closed')
    this.#updateRef()
    this.events.next({ type: 'closed', path: this.path })
    // In a later turn, when `retry` or `switchMap` has subscribed again. A driver without users must hold nothing of the pool.
    setImmediate(() => {
      if (!this.#isOpen) this.queues.rest()
    })
  }

  #updateRef(): void {
    const wanted = this.#keepAlive && this.#isOpen
    if (wanted === this.#hasRef) return
    this.#hasRef = wanted
    ;(wanted ? refLoop : unrefLoop)()
  }

  // --- events of the origin ---

  onConnection(connection: Connection): void {
    const { maxDevices = 1, peers, maxMtu, config } = this.#options
    const { peer } = connection
    const busy = this.#devices.length >= maxDevices
    if (busy || !isAllowed(peers, peer)) {
      connection.close()
      this.events.next({ type: 'refused', path: this.path, reason: busy ? 'busy' : 'peer', peer })
      this.#over(false)
      return
    }
    const offer = { ...this.#features.offer, maxMtu, config, expected: this.#used }
    const device = new DriverDevice(this, connection, offer)
    this.#devices = this.#devices.concat(device)
    this.queues.follow(this.#devices[0].pairs)
    device.session.start()
    for (const subscriber of this.#subscribers) subscriber.next(device.face)
    device.session.tell({ type: 'connected', peer })
  }

  onTrouble(reason: string): void {
    this.events.next({ type: 'resource-pressure', path: this.path, reason })
  }

  onRetry(retry: Retry): void {
    this.events.next({ type: 'retrying', path: this.path, ...retry })
  }

  // --- events of the devices ---

  get number(): number {
    return this.#origins.number
  }

  get weight(): number | undefined {
    return this.#options.weight
  }

  told(event: DeviceEvent): void {
    if (event.type === 'closed' && event.reason === 'fd_exhausted') this.onTrouble(event.reason)
  }

  left(device: DriverDevice): void {
    const { pairs, session } = device
    this.#devices = this.#devices.filter(other => other !== device)
    pairs.end()
    this.#used = session.usedFeatures || this.#used
    this.queues.follow(this.#devices[0]?.pairs)
    this.#over(session.served)
  }

  /** A connection has ended. `served`: a message came on it. */
  #over(served: boolean): void {
    this.#origin?.over(served)
    if (this.#origin?.last) this.#complete()
  }

  /** No other connection will come. */
  #complete(): void {
    this.queues.complete()
    for (const subscriber of this.#subscribers) subscriber.complete()
  }
}
