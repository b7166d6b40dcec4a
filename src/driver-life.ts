// A driver's state behind its face: who uses it, its listener, its devices, and the queues that follow its current
// device. The first user opens, the last one closes, synchronously. It knows no messages and no packets.
import { Subject, type Subscriber } from 'rxjs'
import { dataPlane } from './data/env.js'
import { SinkQueue } from './data/sink.js'
import { SourceQueue } from './data/source.js'
import { VhostDevice } from './device.js'
import { DeviceSession } from './device-session.js'
import type { SinkSettings, VhostDriverOptions } from './driver.js'
import type { DeviceEvent, DriverEvent } from './events.js'
import { VhostQueue, VhostSink } from './queue.js'
import { QueuePair } from './queue-pair.js'
import { adopt } from './transport/connect.js'
import type { Connection } from './transport/connection.js'
import { type Listener, listen } from './transport/listener.js'
import { hold, letGo } from './wakeup.js'

interface Connected {
  session: DeviceSession
  pair: QueuePair
}

interface OwnSink {
  key: string
  queue: SinkQueue
  sink: VhostSink
}

export class DriverLife {
  readonly events = new Subject<DriverEvent>()
  readonly #path: string
  readonly #options: VhostDriverOptions
  readonly #subscribers = new Set<Subscriber<VhostDevice>>()
  readonly #devices = new Map<VhostDevice, Connected>()
  readonly #sinks: OwnSink[] = []
  #source: SourceQueue | undefined
  #fromGuest: VhostQueue | undefined
  #users = 0
  #listener: Listener | undefined
  #isOpen = false
  #keepAlive = true
  #holding = false

  constructor(path: string, options: VhostDriverOptions) {
    this.#path = path
    this.#options = options
  }

  subscribe(subscriber: Subscriber<VhostDevice>): () => void {
    const leave = this.#use()
    this.#subscribers.add(subscriber)
    for (const device of [...this.#devices.keys()]) subscriber.next(device)
    return () => {
      this.#subscribers.delete(subscriber)
      leave()
    }
  }

  fromGuest(): VhostQueue {
    if (this.#fromGuest === undefined) {
      this.#source = this.#newSource(() => this.#current)
      this.#fromGuest = new VhostQueue(this.#source, { begin: () => this.#use() })
      this.#current?.pair.attachSource(this.#source)
    }
    return this.#fromGuest
  }

  toGuest(settings: SinkSettings): VhostSink {
    const key = JSON.stringify([settings.overflow, settings.highWaterMark, settings.whileAbsent])
    const known = this.#sinks.find(own => own.key === key)
    if (known) return known.sink
    const queue = new SinkQueue(dataPlane(), settings)
    const sink = new VhostSink(queue, { begin: () => this.#use() })
    this.#sinks.push({ key, queue, sink })
    this.#current?.pair.attachSink(queue)
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
    if (this.#users === 0) this.#open()
    this.#users++
    let used = true
    return () => {
      if (!used) return
      used = false
      if (--this.#users === 0) this.#close()
    }
  }

  #open(): void {
    const { fd } = this.#options
    if (fd === undefined) {
      this.#listener = listen(this.#path, {
        onConnection: connection => this.#accept(connection),
        onTrouble: reason => this.events.next({ type: 'resource-pressure', path: this.#path, reason }),
      })
    } else {
      const connection = adopt(fd)
      // In a later turn, as with a listener: whoever subscribes in this one misses nothing.
      setImmediate(() => (this.#isOpen ? this.#accept(connection) : connection.close()))
    }
    this.#isOpen = true
    this.#updateHold()
    this.events.next({ type: 'listening', path: this.#path })
  }

  #close(): void {
    this.#isOpen = false
    this.#listener?.close()
    this.#listener = undefined
    for (const { session } of [...this.#devices.values()]) session.close('driver_closed')
    this.#updateHold()
    this.events.next({ type: 'closed', path: this.#path })
    // Later: `retry` and `switchMap` are back by then. An abandoned driver must keep nothing of the pool.
    setImmediate(() => {
      if (!this.#isOpen) this.#source?.rest()
    })
  }

  #updateHold(): void {
    const wanted = this.#keepAlive && this.#isOpen
    if (wanted === this.#holding) return
    this.#holding = wanted
    if (wanted) hold()
    else letGo()
  }

  #accept(connection: Connection): void {
    if (this.#devices.size >= (this.#options.maxDevices ?? 1)) {
      connection.close()
      this.events.next({ type: 'refused', path: this.#path, reason: 'busy' })
      return
    }
    const events = new Subject<DeviceEvent>()
    const { maxMtu, config } = this.#options
    const closed = () => {
      this.#leave(device)
      events.complete()
    }
    const handlers = { event: (event: DeviceEvent) => events.next(event), closed }
    const session = new DeviceSession(this.#path, connection, handlers, { maxMtu, config })
    const connected: Connected = {
      session,
      pair: new QueuePair(session, {
        source: () => this.#newSource(() => connected),
        sink: () => new SinkQueue(dataPlane()),
      }),
    }
    const device = new VhostDevice(session, events, connected.pair)
    const first = this.#devices.size === 0
    this.#devices.set(device, connected)
    if (first) this.#follow(connected)
    session.start()
    for (const subscriber of [...this.#subscribers]) subscriber.next(device)
  }

  #follow({ pair }: Connected): void {
    if (this.#source) pair.attachSource(this.#source)
    for (const { queue } of this.#sinks) pair.attachSink(queue)
  }

  #leave(device: VhostDevice): void {
    const connected = this.#devices.get(device)
    const current = this.#current
    this.#devices.delete(device)
    connected?.pair.end()
    if (this.#options.fd !== undefined) this.#complete()
    else if (connected === current && this.#current) this.#follow(this.#current)
  }

  /** There will be no other connection. */
  #complete(): void {
    this.#source?.close()
    for (const subscriber of [...this.#subscribers]) subscriber.complete()
  }

  #newSource(device: () => Connected | undefined): SourceQueue {
    const { poll, highWaterMark, highWaterBytes, burst } = this.#options
    return new SourceQueue(dataPlane(), {
      poll,
      highWaterMark,
      highWaterBytes,
      burst,
      onStalled: ({ held, holders }) =>
        device()?.session.tell({ type: 'stalled', ring: 1, packets: held, holders }),
    })
  }
}
