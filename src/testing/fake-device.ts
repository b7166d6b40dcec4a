// A device without a front end: an Observable of DeviceEvent with the two ends of one queue pair, for tests of what an
// application does with a VhostDevice, of which it has the public members. What a guest or front end would do are
// methods: start, stop, close, and the ports.
import { Observable, ReplaySubject, type SchedulerLike, Subject, takeUntil } from 'rxjs'
import type { Explanation, RingExplanation } from '../control/explain.js'
import type { DataPlane } from '../data/plane.js'
import type { SinkOptions } from '../data/sink/sink.js'
import type { SourceOptions } from '../data/source/options.js'
import type { DeviceEvent } from '../device/events.js'
import { VhostError } from '../errors.js'
import { DeviceMeter, type DeviceStatsSample } from '../queue/meter.js'
import type { VhostQueue, VhostSink } from '../queue/queue.js'
import type { DeviceStats } from '../queue/stats.js'
import type { FakePort, FakePortOptions } from './fake-port.js'
import { type FromGuest, fakeFromGuest, fakeToGuest, type ToGuest } from './fake-queues.js'

/** What a `FakeDevice` begins with. */
export interface FakeDeviceOptions extends Omit<SourceOptions, 'onStalled'>, FakePortOptions {
  /** Do its rings run from the start? Default true. */
  ready?: boolean
  /** Buffers that the guest posts at first. */
  room?: number
  /** For the way into the guest. */
  sink?: SinkOptions
  /** Its `path`. Default `/fake.sock`. */
  path?: string
}

const RINGS = [0, 1]
let lastId = 0

/** A device without a front end, with the public members of a `VhostDevice`; what a guest or front end would do are methods. */
export class FakeDevice extends Observable<DeviceEvent> {
  /** Rises with every fake device. */
  readonly id = ++lastId
  /** As of a socket; there is none. */
  readonly path: string
  /** The two queues with their guest's side, for expectCredit, expectReceived and the like. */
  readonly from: FromGuest
  /** The way into the guest. */
  readonly to: ToGuest
  readonly #events: Subject<DeviceEvent>
  readonly #state: { ready: boolean; closed: boolean }
  readonly #meter: DeviceMeter
  readonly #ended = new ReplaySubject<void>(1)

  constructor(
    plane: DataPlane,
    { ready = true, room, sink, path = '/fake.sock', ...options }: FakeDeviceOptions = {},
  ) {
    const events = new Subject<DeviceEvent>()
    const state = { ready, closed: false }
    super(subscriber => {
      if (!state.closed) subscriber.next(snapshot(state.ready, options.size))
      return events.subscribe(subscriber)
    })
    this.path = path
    this.#events = events
    this.#state = state
    this.from = fakeFromGuest(plane, {
      ...options,
      onStalled: ({ held, holders }) => events.next({ type: 'stalled', ring: 1, packets: held, holders }),
    })
    this.to = fakeToGuest(plane, { size: options.size, record: options.record, ...sink, room })
    for (const port of Object.values(this.ports)) port.running = ready
    const { from, to } = this
    this.#meter = new DeviceMeter({
      sourceTotals: () => from.source.totals(),
      sinkTotals: () => to.target.totals(),
    })
  }

  /** As of `VhostDevice`; there is one pair. */
  fromGuest(pair = 0): VhostQueue {
    this.#check(pair)
    return this.from.queue
  }

  /** As of `VhostDevice`; there is one pair. */
  toGuest(pair = 0): VhostSink {
    this.#check(pair)
    return this.to.sink
  }

  /** Nobody reads it here. */
  changeConfig(_bytes: Uint8Array): void {}

  /** What its queues have counted, together. */
  get stats(): DeviceStats {
    return this.#meter.now()
  }

  /** The same at every interval, with what changed in it. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<DeviceStatsSample> {
    return this.#meter.every(ms, scheduler).pipe(takeUntil(this.#ended))
  }

  /** `stats` begins at zero again. */
  resetStats(): void {
    this.#meter.reset()
  }

  /** The guest's side of the rings: `fromGuest.send()`, `toGuest.post()`, `toGuest.received`. */
  get ports(): { fromGuest: FakePort; toGuest: FakePort } {
    return { fromGuest: this.from.port, toGuest: this.to.port }
  }

  /** The guest's driver sets its rings up. */
  start(): void {
    if (this.#state.closed || this.#state.ready) return
    this.#state.ready = true
    for (const ring of RINGS) this.emit({ type: 'ring-started', ring })
    for (const port of Object.values(this.ports)) port.setRunning(true)
    this.emit({ type: 'ready' })
  }

  /** The guest reboots, or its driver is unloaded. */
  stop(reason = 'vring_base'): void {
    if (this.#state.closed || !this.#state.ready) return
    this.#state.ready = false
    for (const port of Object.values(this.ports)) port.setRunning(false)
    for (const ring of RINGS) this.emit({ type: 'ring-stopped', ring, reason })
    this.emit({ type: 'stopped' })
  }

  /** Nobody is behind it. */
  readonly peer: undefined

  /** As of `VhostDevice`. */
  explain(): Explanation {
    const { ready } = this.#state
    const rings = RINGS.map((ring): RingExplanation => {
      const text = `ring ${ring}: ${ready ? 'runs' : 'stopped'}`
      return { ring, running: ready, missing: [], fault: '', text }
    })
    const text = [`device: ${ready ? 'ready' : 'stopped'}`, ...rings.map(ring => ring.text)].join('\n')
    return { ready, missing: [], rings, text }
  }

  /** Any event, for instance a fault. */
  emit(event: DeviceEvent): void {
    this.#events.next(event)
  }

  /** The connection ends. */
  close(reason = 'closed'): void {
    if (this.#state.closed) return
    this.stop(reason)
    this.#state.closed = true
    this.emit({ type: 'closed', reason })
    this.from.source.close()
    this.to.target.close()
    this.#ended.next()
    this.#events.complete()
  }

  #check(pair: number): void {
    if (this.#state.closed)
      throw new VhostError('ERR_VHOST_DEVICE_GONE', `device ${this.id} is gone`, {
        device: this.id,
        path: this.path,
      })
    if (pair !== 0)
      throw new VhostError('ERR_VHOST_QUEUE_INVALID', `device ${this.id} has no queue pair ${pair}`, {
        device: this.id,
        fix: 'use 0: a fake device has one pair',
      })
  }
}

function snapshot(ready: boolean, size = 256): DeviceEvent {
  const rings = RINGS.map(ring => ({ ring, running: ready, size, enabled: ready, fault: '' }))
  return { type: 'snapshot', ready, features: [], protocolFeatures: [], rings }
}
