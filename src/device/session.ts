// Joins the control and the data plane for one connection: messages go into the pure session, its effects run on native
// code, their results go back in, and its events come out. It owns the native device and the ports of its rings. It
// knows no rxjs and no driver.

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

/** QEMU sends five, 50 to 350 ms apart, after a migration. */
const RARPS_A_SECOND = 10

export interface DeviceHandlers extends RingListener {
  event(event: DeviceEvent): void
  /** Who wants to see each message. */
  trace?: TraceWatcher
  /** Number of the driver; 0 = there is none. */
  driver?: number
  /** Last call. The connection is closed, the native device gone, nothing of the guest is touched any more. */
  closed(): void
}

export class DeviceSession implements ConnectionHandlers {
  readonly id: number
  readonly path: string
  /** The process at the other end; undefined if the kernel would not say. */
  readonly peer: PeerCredentials | undefined
  /** A message came. */
  served = false
  /** What was negotiated when the device was ready last; 0 if it never was. */
  usedFeatures = 0n
  readonly #connection: Connection
  readonly #handlers: DeviceHandlers
  readonly #trace: DeviceTrace
  readonly #ports: RingPorts
  readonly #asks: DeviceAsks
  #rarps: RateLimit | undefined
  #state: State
  /** What came while another input was served. */
  readonly #inputs: Input[] = []
  #running = false
  #closed = false
  #deadline: NodeJS.Timeout | undefined

  constructor(path: string, connection: Connection, handlers: DeviceHandlers, options: SessionOptions = {}) {
    this.path = path
    this.peer = connection.peer
    this.#connection = connection
    this.#handlers = handlers
    this.#ports = new RingPorts(handlers)
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

  /** The connection says that it is over, or somebody ends it: at once, unless from within the device's own events. */
  close(reason: string): void {
    this.#feed({ kind: 'hang-up', reason })
  }

  /** Another configuration space; the front end is told that it has changed. */
  changeConfig(bytes: Uint8Array): void {
    this.#feed({ kind: 'config', bytes })
  }

  /** Ports that the queues on this device's rings have open. */
  get openPorts(): number {
    return this.#ports.count
  }

  /** A port on a ring of this device, for one queue; it tells when the ring runs and reports its faults here. */
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

  // One input at a time: what an event's subscriber does to the device (a close, say) waits for the end of the step.
  #feed(input: Input): void {
    if (this.#closed) {
      if (input.kind === 'message') for (const fd of input.message.fds) native().closeFd(fd)
      return
    }
    // Something can be left behind a step that threw.
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

  // Native first: when the event arrives, nothing of the guest is touched any more.
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
