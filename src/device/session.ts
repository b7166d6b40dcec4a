// One connection of a front end. Messages go into the pure session (control/session.ts), its effects are run, their results
// are fed back, and its events come out. It owns the native device and the ports on its rings, which join the control plane
// to the data plane.

import { native } from '../addon/native.js'
import type { SessionEvent } from '../control/events.js'
import { initialState, isAsk, type SessionOptions, step } from '../control/session.js'
import type { Effect, Input, Message, State } from '../control/types.js'
import type { RingPort } from '../data/ring/ring-port.js'
import { type RingListener, RingPorts } from '../data/ring/ring-ports.js'
import { debugFor } from '../debug.js'
import type { Connection, ConnectionHandlers } from '../transport/connection.js'
import { DeviceAsks } from './asks.js'
import { deviceEvent } from './event-translation.js'
import type { DeviceEvent, PeerCredentials } from './events.js'
import { RateLimit } from './rate-limit.js'
import { DeviceTrace, type TraceWatcher } from './trace.js'

const debug = debugFor('device')

/** SEND_RARP requests that become events. QEMU sends five, 50 to 350 ms apart, after a migration. */
const RARPS_A_SECOND = 10

export interface DeviceHandlers extends RingListener {
  event(event: DeviceEvent): void
  /** Sees each message. */
  trace?: TraceWatcher
  /** Number of the driver; 0 for none. */
  driver?: number
  /** The weight of its share of the data plane's time. */
  weight?: number
  /** The last call. The connection is closed, the native device is gone, and guest memory is not touched any more. */
  closed(): void
}

export class DeviceSession implements ConnectionHandlers {
  readonly id: number
  readonly path: string
  /** The process at the other end; undefined if the kernel does not know it. */
  readonly peer: PeerCredentials | undefined
  /** Whether a message has come. */
  served = false
  /** The features in use when the device last became ready; 0 if it never did. */
  usedFeatures = 0n
  readonly #connection: Connection
  readonly #handlers: DeviceHandlers
  readonly #trace: DeviceTrace
  readonly #ports: RingPorts
  readonly #asks: DeviceAsks
  #rarps: RateLimit | undefined
  #state: State
  /** Inputs that came during a step. */
  readonly #inputs: Input[] = []
  #running = false
  #closed = false
  #deadline: NodeJS.Timeout | undefined

  constructor(path: string, connection: Connection, handlers: DeviceHandlers, options: SessionOptions = {}) {
    this.path = path
    this.peer = connection.peer
    this.#connection = connection
    this.#handlers = handlers
    this.#ports = new RingPorts(handlers, handlers.weight)
    this.#state = initialState(options)
    this.id = native().deviceCreate(handlers.driver ?? 0)
    this.#asks = new DeviceAsks(this.id, connection, later => this.#feed(later))
    this.#trace = new DeviceTrace(this.id, handlers.trace)
  }

  get closed(): boolean {
    return this.#closed
  }

  get state(): Readonly<State> {
    return this.#state
  }

  /** Begins to read messages, in a later turn. */
  start(): void {
    this.#connection.start(this)
  }

  /** From the front end. */
  message(message: Message): void {
    this.served = true
    this.#trace.message(message)
    this.#feed({ kind: 'message', message })
  }

  /** The connection has ended, or this side ends it. During an event of the device, it ends after that step. */
  close(reason: string): void {
    this.#feed({ kind: 'hang-up', reason })
  }

  /** Replaces the configuration space and tells the front end that it has changed. */
  changeConfig(bytes: Uint8Array): void {
    this.#feed({ kind: 'config', bytes })
  }

  /** Ports that the queues on this device's rings have open. */
  get openPorts(): number {
    return this.#ports.count
  }

  /** A port on a ring of this device, for one queue. The session tells it when the ring runs; it reports the ring's faults. */
  port(ring: number): RingPort {
    const running = this.#state.rings[ring]?.running ?? false
    return this.#ports.open(this.id, ring, running, reason =>
      this.#feed({ kind: 'ring-fault', ring, reason }),
    )
  }

  /** An event of the data plane, in order with those of the control plane. */
  tell(event: DeviceEvent): void {
    if (!this.#closed) this.#handlers.event(event)
  }

  // Serves one input at a time: if the subscriber of an event closes the device, that waits for the end of the step.
  #feed(input: Input): void {
    if (this.#closed) {
      if (input.kind === 'message') for (const fd of input.message.fds) native().closeFd(fd)
      return
    }
    // A step that threw leaves inputs behind; they come first.
    if (this.#running || this.#inputs.length > 0) this.#inputs.push(input)
    if (this.#running) return
    this.#running = true
    try {
      let next: Input | undefined = this.#inputs.shift() ?? input
      for (; next; next = this.#inputs.shift()) this.#step(next)
    } finally {
      this.#running = false
    }
  }

  #step(input: Input): void {
    let next: Input | undefined = input
    while (next) {
      const { state, effects } = step(this.#state, next)
      this.#state = state
      next = undefined
      for (const effect of effects) {
        if (!isAsk(effect)) this.#run(effect)
        else {
          next = this.#asks.perform(effect)
          if (effect.kind === 'ring-fd' && effect.which === 0 && effect.fd === 0)
            this.#ports.kickLost(effect.ring)
        }
      }
    }
  }

  #run(effect: Effect): void {
    switch (effect.kind) {
      case 'reply':
        this.#trace.sent(effect.bytes)
        this.#connection.send(effect.bytes)
        break
      case 'close-fds':
        for (const fd of effect.fds) native().closeFd(fd)
        break
      case 'event':
        this.#tell(effect.event)
        break
      case 'deadline':
        clearTimeout(this.#deadline)
        if (effect.ms > 0)
          this.#deadline = setTimeout(() => this.#feed({ kind: 'deadline' }), effect.ms).unref()
        break
      case 'tell-front-end':
        this.#trace.told(effect.request)
        this.#asks.tellFrontEnd(effect.request)
        break
      case 'close':
        this.#end(effect.code)
    }
  }

  #tell(event: SessionEvent): void {
    debug('%d %o', this.id, event)
    if (event.type === 'rarp') {
      this.#rarps ??= new RateLimit(RARPS_A_SECOND)
      if (!this.#rarps.allows) return
    }
    if (event.type === 'ready') this.usedFeatures = this.#state.features
    if (event.type === 'ring-started' || event.type === 'ring-stopped')
      this.#ports.ringState(event.ring, event.type === 'ring-started')
    this.#handlers.event(deviceEvent(event, this))
  }

  // The native device ends before the event is told: its subscriber can rely on it that guest memory is not touched any more.
  #end(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#deadline)
    this.#connection.close()
    this.#asks.close()
    native().deviceDestroy(this.id)
    this.#handlers.event({ type: 'closed', reason })
    this.#handlers.closed()
  }
}
