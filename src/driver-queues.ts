// A driver's own queues: they follow its current device, so that pipelines outlive connections. Made when they are asked
// for first. It knows no socket and no messages.
import { dataPlane } from './data/env.js'
import { SinkGroup } from './data/sink-group.js'
import { SourceGroup } from './data/source-group.js'
import { NO_TOTALS, sumTotals, type Totals } from './data/totals.js'
import type { DeviceSession } from './device-session.js'
import type { SinkSettings, VhostDriverOptions } from './driver-options.js'
import { VhostQueue, VhostSink } from './queue.js'
import type { QueuePairs } from './queue-pairs.js'

export interface Connected {
  session: DeviceSession
  pairs: QueuePairs
}

interface OwnSink {
  key: string
  group: SinkGroup
  /** Of one pair, or of all as one. */
  sinks: Map<number | undefined, VhostSink>
}

export class DriverQueues {
  readonly #options: VhostDriverOptions
  readonly #use: () => () => void
  readonly #sinks: OwnSink[] = []
  readonly #queues = new Map<number | undefined, VhostQueue>()
  #current: Connected | undefined
  #source: SourceGroup | undefined
  /** Of the sources that were completed. */
  #sourceBefore: Totals = NO_TOTALS

  /** `use`: a pipeline begins to use the driver; returns what says that it ended. */
  constructor(options: VhostDriverOptions, use: () => () => void) {
    this.#options = options
    this.#use = use
  }

  fromGuest(pair?: number): VhostQueue {
    const known = this.#queues.get(pair)
    if (known) return known
    const group = this.#group
    const queue = new VhostQueue(pair === undefined ? group : group.member(pair), { begin: this.#use })
    this.#queues.set(pair, queue)
    this.#current?.pairs.attachSource(group)
    return queue
  }

  toGuest({ pair, ...settings }: SinkSettings): VhostSink {
    const own = this.#sinkOf(settings)
    const known = own.sinks.get(pair)
    if (known) return known
    const sink = new VhostSink(pair === undefined ? own.group : own.group.member(pair), { begin: this.#use })
    own.sinks.set(pair, sink)
    return sink
  }

  /** This is the current device from now on. */
  follow(current: Connected | undefined): void {
    if (current === this.#current) return
    this.#current = current
    if (current === undefined) return
    if (this.#source) current.pairs.attachSource(this.#source)
    for (const { group } of this.#sinks) current.pairs.attachSink(group)
  }

  /** The driver's own, for a device that it follows. */
  sharedWith(device: Connected): SourceGroup | undefined {
    return device === this.#current ? this.#group : undefined
  }

  newSource(device: () => Connected | undefined): SourceGroup {
    const { poll, highWaterMark, highWaterBytes, burst } = this.#options
    return new SourceGroup(dataPlane(), {
      poll,
      highWaterMark,
      highWaterBytes,
      burst,
      onStalled: (pair, { held, holders }) =>
        device()?.session.tell({ type: 'stalled', ring: 2 * pair + 1, packets: held, holders }),
    })
  }

  /** Nothing uses the driver any more: an abandoned one must keep nothing of the pool. */
  rest(): void {
    this.#source?.rest()
  }

  /** There will be no other device, unless somebody subscribes to the driver anew: who uses it then gets other queues. */
  complete(): void {
    this.#source?.close()
    this.#sourceBefore = { ...this.sourceTotals(), held: 0 }
    this.#source = undefined
    this.#queues.clear()
  }

  /** As complete(), and for good: sinks drop what they kept, and what comes. */
  end(): void {
    this.complete()
    for (const { group } of this.#sinks) group.close()
  }

  sourceTotals(): Totals {
    return this.#source ? sumTotals([this.#sourceBefore, this.#source.totals()]) : this.#sourceBefore
  }

  sinkTotals(): Totals {
    return sumTotals(this.#sinks.map(({ group }) => group.totals()))
  }

  get #group(): SourceGroup {
    this.#source ??= this.newSource(() => this.#current)
    return this.#source
  }

  #sinkOf(settings: Omit<SinkSettings, 'pair'>): OwnSink {
    const key = JSON.stringify([settings.overflow, settings.highWaterMark, settings.whileAbsent])
    const known = this.#sinks.find(own => own.key === key)
    if (known) return known
    const own = { key, group: new SinkGroup(dataPlane(), settings), sinks: new Map() }
    this.#sinks.push(own)
    this.#current?.pairs.attachSink(own.group)
    return own
  }
}
