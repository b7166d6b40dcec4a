// The queues of one device: all pairs as one, and each by itself. Attached to its rings while it lives, let go when it
// ends. A queue may be the device's own, which ends with it, or a driver's, which goes on to the next device.
import { type Observable, ReplaySubject } from 'rxjs'
import { FlowTable } from './data/flows.js'
import type { SinkGroup } from './data/sink-group.js'
import type { PairPorts, SourceGroup } from './data/source-group.js'
import { kept, NO_TOTALS, sumTotals, type Totals, totalsSince } from './data/totals.js'
import type { DeviceSession } from './device-session.js'
import { VhostError } from './errors.js'
import { VhostQueue, VhostSink } from './queue.js'

export interface QueueMakers {
  /** The driver's own queues, if they follow this device: one drain loop a ring, so the device's face shares them. */
  shared(): SourceGroup | undefined
  source(): SourceGroup
  sink(): SinkGroup
}

/** Rings of a pair: 2k leads to the guest, 2k + 1 from it. */
const TO_GUEST = 0
const FROM_GUEST = 1

export class QueuePairs {
  readonly #session: DeviceSession
  readonly #make: QueueMakers
  readonly #ended = new ReplaySubject<void>(1)
  readonly #flows = new FlowTable()
  /** Pairs of which a ring was started once. */
  readonly #used = [0]
  /** Pairs whose to-guest ring runs. */
  #running: number[] = []
  /** With what each had counted before it was attached. */
  readonly #sinks = new Map<SinkGroup, Totals>()
  #source: SourceGroup | undefined
  #sourceBefore: Totals = NO_TOTALS
  /** What was counted by the end: a driver's queues go on to count for others. */
  #last: { source: Totals; sink: Totals } | undefined
  #ownSource = false
  #ownSink: SinkGroup | undefined
  readonly #queues = new Map<number | undefined, VhostQueue>()
  readonly #ways = new Map<number | undefined, VhostSink>()

  constructor(session: DeviceSession, make: QueueMakers) {
    this.#session = session
    this.#make = make
  }

  /** A driver's queue takes these rings, unless someone uses them by the device's own. */
  attachSource(group: SourceGroup): void {
    if (this.#source !== undefined) return
    this.#source = group
    this.#sourceBefore = kept(group.totals())
    this.#orFault(FROM_GUEST, () => group.attach(this.#ports(FROM_GUEST)))
  }

  attachSink(group: SinkGroup): void {
    this.#sinks.set(group, kept(group.totals()))
    group.attach(this.#ports(TO_GUEST), this.#running)
  }

  /** From the session, once the ports know it. */
  ringState(ring: number, runs: boolean): void {
    const pair = ring >> 1
    if (runs && !this.#used.includes(pair)) {
      this.#used.push(pair)
      this.#orFault(ring, () => this.#source?.open(pair))
      for (const sink of this.#sinks.keys()) sink.open(pair)
    }
    if (ring % 2 === FROM_GUEST) return
    this.#running = this.#running.filter(other => other !== pair)
    if (runs) this.#running.push(pair)
    for (const sink of this.#sinks.keys()) sink.ringState(pair, runs)
  }

  /** One pair's, or all of them as one. */
  fromGuest(pair?: number): VhostQueue {
    const group = this.#needSource()
    const known = this.#queues.get(pair)
    if (known) return known
    const queue = new VhostQueue(pair === undefined ? group : group.member(pair), { ended: this.#ended })
    this.#queues.set(pair, queue)
    return queue
  }

  toGuest(pair?: number): VhostSink {
    if (this.#ownSink === undefined) {
      this.#ownSink = this.#make.sink()
      this.attachSink(this.#ownSink)
    }
    const known = this.#ways.get(pair)
    if (known) return known
    const own = this.#ownSink
    const sink = new VhostSink(pair === undefined ? own : own.member(pair), { ended: this.#ended })
    this.#ways.set(pair, sink)
    return sink
  }

  /** The device is gone. */
  end(): void {
    this.#ended.next()
    this.#ended.complete()
    if (this.#ownSource) this.#source?.close()
    else this.#source?.detach()
    for (const group of this.#sinks.keys()) {
      if (group === this.#ownSink) group.close()
      else group.detach('gone')
    }
    this.#last = { source: { ...this.sourceTotals(), held: 0 }, sink: { ...this.sinkTotals(), held: 0 } }
    this.#sinks.clear()
  }

  /** What was counted on these rings. */
  sourceTotals(): Totals {
    if (this.#last) return this.#last.source
    return this.#source ? totalsSince(this.#sourceBefore, this.#source.totals()) : NO_TOTALS
  }

  sinkTotals(): Totals {
    return (
      this.#last?.sink ??
      sumTotals([...this.#sinks].map(([group, before]) => totalsSince(before, group.totals())))
    )
  }

  /** The device is gone. */
  get ended(): Observable<void> {
    return this.#ended
  }

  #needSource(): SourceGroup {
    if (this.#source === undefined) {
      const shared = this.#make.shared()
      this.#ownSource = shared === undefined
      this.attachSource(shared ?? this.#make.source())
    }
    return this.#source as unknown as SourceGroup
  }

  // No account is left: a limit of this process ends the one connection that meets it, with a fault that is told once
  // who gets the device has it.
  #orFault(ring: number, attach: () => void): void {
    try {
      attach()
    } catch (error) {
      if (!(error instanceof VhostError)) throw error
      queueMicrotask(() => {
        this.#session.tell({ type: 'fault', error, ring })
        this.#session.close('exhausted')
      })
    }
  }

  #ports(direction: number): PairPorts {
    const used = this.#used
    return {
      port: pair => this.#session.port(2 * pair + direction),
      flows: this.#flows,
      used,
      get several() {
        return used.length > 1
      },
    }
  }
}
