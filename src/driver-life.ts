// A driver's state behind its face: who uses it, where its connections come from, and its devices. The first user opens,
// the last one closes, synchronously. It knows no messages and no packets.
import { Subject, type Subscriber } from 'rxjs'
import { onAbort } from './abort.js'
import { dataPlane } from './data/env.js'
import { SinkGroup } from './data/sink-group.js'
import { VhostDevice } from './device.js'
import { DeviceSession } from './device-session.js'
import type { TraceEntry } from './device-trace.js'
import type { DriverFeatures } from './driver-features.js'
import type { SinkSettings, VhostDriverOptions } from './driver-options.js'
import { DriverOrigins } from './driver-origins.js'
import { type Connected, DriverQueues } from './driver-queues.js'
import type { DeviceEvent, DriverEvent } from './events.js'
import type { VhostQueue, VhostSink } from './queue.js'
import { QueuePairs } from './queue-pairs.js'
import { isAllowed } from './transport/access.js'
import type { Connection } from './transport/connection.js'
import type { Origin } from './transport/origin.js'
import { hold, letGo } from './wakeup.js'

export class DriverLife {
  readonly events = new Subject<DriverEvent>()
  readonly trace = new Subject<TraceEntry>()
  readonly #path: string
  readonly #options: VhostDriverOptions
  readonly #subscribers = new Set<Subscriber<VhostDevice>>()
  readonly #devices = new Map<VhostDevice, Connected>()
  readonly #features: DriverFeatures
  readonly queues: DriverQueues
  readonly #origins: DriverOrigins
  /** In use by the last device that was ready. */
  #used = 0n
  #users = 0
  #origin: Origin | undefined
  #isOpen = false
  #ended = false
  #forgetSignal = (): void => {}
  #keepAlive = true
  #holding = false

  constructor(path: string, options: VhostDriverOptions, features: DriverFeatures) {
    this.#path = path
    this.#features = features
    this.#options = options
    this.queues = new DriverQueues(options, () => this.#use())
    this.#origins = new DriverOrigins(path, options, {
      onConnection: connection => this.#accept(connection),
      onTrouble: reason => this.events.next({ type: 'resource-pressure', path, reason }),
      onRetry: retry => this.events.next({ type: 'retrying', path, ...retry }),
    })
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  subscribe(subscriber: Subscriber<VhostDevice>): () => void {
    const leave = this.#use()
    if (this.#ended) subscriber.complete()
    this.#subscribers.add(subscriber)
    for (const device of [...this.#devices.keys()]) subscriber.next(device)
    return () => {
      this.#subscribers.delete(subscriber)
      leave()
    }
  }

  /** For good: everything that subscribed completes, then sockets are closed. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#complete()
    this.queues.end()
    if (this.#isOpen) this.#close()
  }

  fromGuest(pair?: number): VhostQueue {
    const queue = this.queues.fromGuest(pair)
    if (this.#ended) this.queues.end()
    return queue
  }

  toGuest(settings: SinkSettings): VhostSink {
    const sink = this.queues.toGuest(settings)
    if (this.#ended) this.queues.end()
    return sink
  }

  keepAlive(on: boolean): void {
    this.#keepAlive = on
    this.#updateHold()
  }

  /** The driver's own queues go with the device that has been here longest. */
  get #current(): Connected | undefined {
    return this.#devices.values().next().value
  }

  /** One more user; the first one opens. Returns what takes it back. */
  #use(): () => void {
    if (this.#options.signal?.aborted) this.end()
    if (this.#ended) return () => {}
    if (this.#users === 0) this.#open()
    this.#users++
    let used = true
    return () => {
      if (!used) return
      used = false
      if (--this.#users === 0 && this.#isOpen) this.#close()
    }
  }

  #open(): void {
    this.#origin = this.#origins.open()
    this.#isOpen = true
    this.#forgetSignal = onAbort(this.#options.signal, () => this.end())
    this.#updateHold()
    const { role, fd } = this.#options
    const type = role === 'client' && fd === undefined ? 'connecting' : 'listening'
    this.events.next({ type, path: this.#path })
  }

  #close(): void {
    this.#isOpen = false
    this.#forgetSignal()
    this.#origin?.close()
    this.#origin = undefined
    for (const { session } of [...this.#devices.values()]) session.close('driver_closed')
    this.#updateHold()
    this.events.next({ type: 'closed', path: this.#path })
    // Later: `retry` and `switchMap` are back by then. An abandoned driver must keep nothing of the pool.
    setImmediate(() => {
      if (!this.#isOpen) this.queues.rest()
    })
  }

  #updateHold(): void {
    const wanted = this.#keepAlive && this.#isOpen
    if (wanted === this.#holding) return
    this.#holding = wanted
    ;(wanted ? hold : letGo)()
  }

  #accept(connection: Connection): void {
    const { maxDevices = 1, peers, maxMtu, config } = this.#options
    const { peer } = connection
    const busy = this.#devices.size >= maxDevices
    if (busy || !isAllowed(peers, peer)) {
      connection.close()
      this.events.next({ type: 'refused', path: this.#path, reason: busy ? 'busy' : 'peer', peer })
      this.#origin?.over(false)
      if (this.#origin?.last) this.#complete()
      return
    }
    const events = new Subject<DeviceEvent>()
    const handlers = {
      event: (event: DeviceEvent) => {
        events.next(event)
        if (event.type === 'closed' && event.reason === 'fd_exhausted')
          this.events.next({ type: 'resource-pressure', path: this.#path, reason: event.reason })
      },
      closed: () => this.#leave(device, events),
      driver: this.#origins.number,
      trace: this.trace,
      ring: (ring: number, runs: boolean) => connected.pairs.ringState(ring, runs),
    }
    const offer = { ...this.#features.offer, maxMtu, config, expected: this.#used }
    const session = new DeviceSession(this.#path, connection, handlers, offer)
    const pairs = new QueuePairs(session, {
      shared: () => this.queues.sharedWith(connected),
      source: () => this.queues.newSource(() => connected),
      sink: () => new SinkGroup(dataPlane()),
    })
    const connected: Connected = { session, pairs }
    const device = new VhostDevice(session, events, pairs)
    this.#devices.set(device, connected)
    this.queues.follow(this.#current)
    session.start()
    for (const subscriber of [...this.#subscribers]) subscriber.next(device)
    session.tell({ type: 'connected', peer })
  }

  #leave(device: VhostDevice, events: Subject<DeviceEvent>): void {
    const connected = this.#devices.get(device)
    this.#devices.delete(device)
    connected?.pairs.end()
    this.#used = connected?.session.usedFeatures || this.#used
    this.queues.follow(this.#current)
    this.#origin?.over(connected?.session.served ?? false)
    if (this.#origin?.last) this.#complete()
    events.complete()
  }

  /** There will be no other connection. */
  #complete(): void {
    this.queues.complete()
    for (const subscriber of [...this.#subscribers]) subscriber.complete()
  }
}
