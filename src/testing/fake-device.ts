// A device without a front end: an Observable of DeviceEvent with the two ends of one queue pair, for tests of an
// application that uses a VhostDevice. It has the public members of VhostDevice, and methods that act as the guest or
// the front end: start, stop, close, and the ports.
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

/** Options of a `FakeDevice`. */
export interface FakeDeviceOptions extends Omit<SourceOptions, 'onStalled'>, FakePortOptions {
  /** True if the rings run from the start. Default true. */
  ready?: boolean
  /** Number of receive buffers that the guest posts at the start. */
  room?: number
  /** Options of the to-guest queue. */
  sink?: SinkOptions
  /** Value of the device's `path`. Default `/fake.sock`. */
  path?: string
}

const RINGS = [0, 1]
let lastId = 0

/** A device without a front end, with the public members of a `VhostDevice` and methods for its guest. */
export class FakeDevice extends Observable<DeviceEvent> {
  /** A number that increases with every fake device. */
  readonly id = ++lastId
  /** A path as a real device has; no socket exists there. */
  readonly path: string
  /** The two queues with their guest's side, for expectCredit, expectReceived and similar methods. */
  readonly from: FromGuest
  /** The to-guest queue. */
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

  /** Has no effect, because there is no front end. */
  changeConfig(_bytes: Uint8Array): void {}

  /** The sums of the counters of both queues. */
  get stats(): DeviceStats {
    return this.#meter.now()
  }

  /** Emits the counters at every interval, with their change since the last one. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<DeviceStatsSample> {
    return this.#meter.every(ms, scheduler).pipe(takeUntil(this.#ended))
  }

  /** Resets `stats` to zero. */
  resetStats(): void {
    this.#meter.reset()
  }

  /** The guest's side of the rings: `fromGuest.send()`, `toGuest.post()`, `toGuest.received`. */
  get ports(): { fromGuest: FakePort; toGuest: FakePort } {
    return { fromGuest: this.from.port, toGuest: this.to.port }
  }

  /** Starts the rings, as the guest's driver does. */
  start(): void {
    if (this.#state.closed || this.#state.ready) return
    this.#state.ready = true
    for (const ring of RINGS) this.emit({ type: 'ring-started', ring })
    for (const port of Object.values(this.ports)) port.setRunning(true)
    this.emit({ type: 'ready' })
  }

  /** Stops the rings, as when the guest reboots or its driver is unloaded. */
  stop(reason = 'vring_base'): void {
    if (this.#state.closed || !this.#state.ready) return
    this.#state.ready = false
    for (const port of Object.values(this.ports)) port.setRunning(false)
    for (const ring of RINGS) this.emit({ type: 'ring-stopped', ring, reason })
    this.emit({ type: 'stopped' })
  }

  /** Always undefined, because there is no front end. */
  readonly peer: undefined

  /** As in `VhostDevice`. */
  explain(): Explanation {
    const { ready } = this.#state
    const rings = RINGS.map((ring): RingExplanation => {
      const text = `ring ${ring}: ${ready ? 'runs' : 'stopped'}`
      return { ring, running: ready, missing: [], fault: '', text }
    })
    const text = [`device: ${ready ? 'ready' : 'stopped'}`, ...rings.map(ring => ring.text)].join('\n')
    return { ready, missing: [], rings, text }
  }

  /** Emits any event, for instance a fault. As of a `VhostDevice`, sinks report a `rarp` to their watchers. */
  emit(event: DeviceEvent): void {
    this.#events.next(event)
    if (event.type === 'rarp') this.to.target.moved(event.mac)
  }

  /** Ends the connection. */
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
