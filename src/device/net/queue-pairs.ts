// The queues of one device: one for all pairs, and one for each pair. They are attached to its rings while it lives. A queue
// is either the device's own and ends with it, or the driver's and is attached to the next device later.
import { type Observable, ReplaySubject } from 'rxjs'
import { compact, NO_TOTALS, sumTotals, type Totals, totalsSince } from '../../data/counters/totals.js'
import { FlowTable } from '../../data/pair-steering.js'
import type { PairPorts } from '../../data/ring/pair-ports.js'
import type { QueuePort } from '../../data/ring/port.js'
import type { RingListener } from '../../data/ring/ring-ports.js'
import type { SinkGroup } from '../../data/sink/group.js'
import type { SourceGroup, StallListener } from '../../data/source/group.js'
import type { Stalled } from '../../data/source/options.js'
import { VhostError } from '../../errors.js'
import type { QueueLife } from '../../queue/life.js'
import { VhostQueue, VhostSink } from '../../queue/queue.js'
import type { DeviceSession } from '../session.js'
import { ByPair } from './by-pair.js'

/** Makes the queues of a driver's devices. */
export interface QueueMaker {
  /** The driver's own source, if it follows this device. The device uses it too, since a ring has only one drain loop. */
  sharedWith(device: QueuePairs): SourceGroup | undefined
  newSource(onStalled: StallListener): SourceGroup
  newSink(): SinkGroup
}

/** Ring 2k of pair k leads to the guest, ring 2k + 1 from it. */
const TO_GUEST = 0
const FROM_GUEST = 1

/** The rings of one device in one direction, as a group of queues sees them. */
class Rings implements PairPorts {
  constructor(
    readonly session: DeviceSession,
    readonly direction: number,
    readonly flows: FlowTable,
    readonly used: readonly number[],
  ) {}

  port(pair: number): QueuePort {
    return this.session.port(2 * pair + this.direction)
  }

  get several(): boolean {
    return this.used.length > 1
  }
}

interface Attached {
  readonly group: SinkGroup
  /** Its counters when it was attached. */
  readonly before: Totals
}

export class QueuePairs implements QueueLife, RingListener, StallListener {
  readonly session: DeviceSession
  readonly #maker: QueueMaker
  #ended: ReplaySubject<void> | undefined
  readonly #flows = new FlowTable()
  /** Pairs of which a ring has been started at least once, and the first pair. */
  readonly #used = [0]
  /** Pairs whose to-guest ring runs. */
  #running: readonly number[] = []
  #sinks: readonly Attached[] = []
  #source: SourceGroup | undefined
  #sourceBefore: Totals = NO_TOTALS
  /** The counters at the end of the device: a driver's queues go on to count for the next one. */
  #last: { source: Totals; sink: Totals } | undefined
  #ownSource = false
  #ownSink: SinkGroup | undefined
  readonly #queueFaces = new ByPair<VhostQueue>()
  readonly #sinkFaces = new ByPair<VhostSink>()

  constructor(session: DeviceSession, maker: QueueMaker) {
    this.session = session
    this.#maker = maker
  }

  /** Attaches a driver's source, unless the device's own is in use. */
  attachSource(group: SourceGroup): void {
    if (this.#source !== undefined) return
    this.#source = group
    this.#sourceBefore = compact(group.totals())
    this.#attachOrFault(FROM_GUEST, () => group.attach(this.#ports(FROM_GUEST)))
  }

  /** Attaches a sink; there can be several. */
  attachSink(group: SinkGroup): void {
    this.#sinks = this.#sinks.concat({ group, before: compact(group.totals()) })
    group.attach(this.#ports(TO_GUEST), this.#running)
  }

  ringState(ring: number, runs: boolean): void {
    const pair = ring >> 1
    if (runs && !this.#used.includes(pair)) {
      this.#used.push(pair)
      this.#attachOrFault(ring, () => this.#source?.open(pair))
      for (const { group } of this.#sinks) group.open(pair)
    }
    if (ring % 2 === FROM_GUEST) return
    const others = this.#running.filter(other => other !== pair)
    this.#running = runs ? others.concat(pair) : others
    for (const { group } of this.#sinks) group.ringState(pair, runs)
  }

  /** The front end reports that the guest with this address has moved here. */
  moved(mac: string): void {
    for (const { group } of this.#sinks) group.moved(mac)
  }

  /** From a source on these rings: no lease on its packets was released for a while. */
  stalled({ held, holders }: Stalled, pair: number): void {
    this.session.tell({ type: 'stalled', ring: 2 * pair + FROM_GUEST, packets: held, holders })
  }

  /** The queue of one pair, or of all pairs. */
  fromGuest(pair?: number): VhostQueue {
    const group = this.#needSource()
    return this.#queueFaces.of(
      pair,
      () => new VhostQueue(pair === undefined ? group : group.member(pair), this),
    )
  }

  toGuest(pair?: number): VhostSink {
    if (this.#ownSink === undefined) {
      this.#ownSink = this.#maker.newSink()
      this.attachSink(this.#ownSink)
    }
    const own = this.#ownSink
    return this.#sinkFaces.of(pair, () => new VhostSink(pair === undefined ? own : own.member(pair), this))
  }

  /** The device is gone. */
  end(): void {
    // `ended` must exist before packets are dropped below: a drop can run user code that subscribes again, which is then too late.
    this.#ended ??= new ReplaySubject(1)
    this.#ended.next()
    this.#ended.complete()
    if (this.#ownSource) this.#source?.close()
    else this.#source?.detach()
    for (const { group } of this.#sinks) {
      if (group === this.#ownSink) group.close()
      else group.detach('gone')
    }
    this.#last = { source: { ...this.sourceTotals(), held: 0 }, sink: { ...this.sinkTotals(), held: 0 } }
    this.#sinks = []
  }

  /** The counters of the source on these rings. */
  sourceTotals(): Totals {
    if (this.#last) return this.#last.source
    return this.#source ? totalsSince(this.#sourceBefore, this.#source.totals()) : NO_TOTALS
  }

  /** The counters of all sinks on these rings. */
  sinkTotals(): Totals {
    return (
      this.#last?.sink ??
      sumTotals(this.#sinks.map(({ group, before }) => totalsSince(before, group.totals())))
    )
  }

  /** The device is gone. */
  get ended(): Observable<void> {
    this.#ended ??= new ReplaySubject(1)
    return this.#ended
  }

  #needSource(): SourceGroup {
    if (this.#source === undefined) {
      const shared = this.#maker.sharedWith(this)
      this.#ownSource = shared === undefined
      this.attachSource(shared ?? this.#maker.newSource(this))
    }
    return this.#source as unknown as SourceGroup
  }

  // A source needs a lease account of the pool. If none is left, the connection ends with a fault. It is told in a microtask,
  // when the driver's subscribers have the device.
  #attachOrFault(ring: number, attach: () => void): void {
    try {
      attach()
    } catch (error) {
      if (!(error instanceof VhostError)) throw error
      queueMicrotask(() => {
        this.session.tell({ type: 'fault', error, ring })
        this.session.close('exhausted')
      })
    }
  }

  #ports(direction: number): PairPorts {
    return new Rings(this.session, direction, this.#flows, this.#used)
  }
}
