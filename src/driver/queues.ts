// A driver's own queues. They follow its current device, so that pipelines outlive connections. Each is made at first use.

import { NO_TOTALS, sumTotals, type Totals } from '../data/counters/totals.js'
import { dataPlane } from '../data/env.js'
import { SinkGroup } from '../data/sink/group.js'
import { SourceGroup, type StallListener } from '../data/source/group.js'
import type { Stalled } from '../data/source/options.js'
import { ByPair } from '../device/net/by-pair.js'
import type { QueueMaker, QueuePairs } from '../device/net/queue-pairs.js'
import type { QueueLife } from '../queue/life.js'
import { VhostQueue, VhostSink } from '../queue/queue.js'
import type { SinkSettings, VhostDriverOptions } from './options.js'

interface OwnSink {
  readonly settings: Omit<SinkSettings, 'pair'>
  readonly group: SinkGroup
  readonly faces: ByPair<VhostSink>
}

export class DriverQueues implements QueueMaker, StallListener {
  readonly #options: VhostDriverOptions
  readonly #life: QueueLife
  #sinks: readonly OwnSink[] = []
  readonly #queues = new ByPair<VhostQueue>()
  #current: QueuePairs | undefined
  /** The driver has ended: so does every queue that is asked for. */
  #ended = false
  #source: SourceGroup | undefined
  /** The counters of the sources that have completed. */
  #sourceBefore: Totals = NO_TOTALS

  /** `life` is the driver: a pipeline uses it while it runs. */
  constructor(options: VhostDriverOptions, life: QueueLife) {
    this.#options = options
    this.#life = life
  }

  fromGuest(pair?: number): VhostQueue {
    const queue = this.#queues.of(pair, () => {
      const group = this.#group
      this.#current?.attachSource(group)
      return new VhostQueue(pair === undefined ? group : group.member(pair), this.#life)
    })
    if (this.#ended) this.end()
    return queue
  }

  toGuest(settings: SinkSettings): VhostSink {
    const { pair } = settings
    const { group, faces } = this.#sinkOf(settings)
    const sink = faces.of(
      pair,
      () => new VhostSink(pair === undefined ? group : group.member(pair), this.#life),
    )
    if (this.#ended) this.end()
    return sink
  }

  /** Attaches the queues to the current device; undefined if there is none. */
  follow(current: QueuePairs | undefined): void {
    if (current === this.#current) return
    this.#current = current
    if (current === undefined) return
    if (this.#source) current.attachSource(this.#source)
    for (const { group } of this.#sinks) current.attachSink(group)
  }

  /** The driver's own source, if it follows this device. */
  sharedWith(device: QueuePairs): SourceGroup | undefined {
    return device === this.#current ? this.#group : undefined
  }

  newSource(onStalled: StallListener): SourceGroup {
    const { poll, highWaterMark, highWaterBytes, burst } = this.#options
    return new SourceGroup(dataPlane(), { poll, highWaterMark, highWaterBytes, burst }, onStalled)
  }

  newSink(): SinkGroup {
    return new SinkGroup(dataPlane())
  }

  /** From the driver's own source. The current device tells its subscribers. */
  stalled(stalled: Stalled, pair: number): void {
    this.#current?.stalled(stalled, pair)
  }

  /** The driver has no users: its source returns what it has of the pool. */
  rest(): void {
    this.#source?.idle()
  }

  /** No other device will come for these queues. A later subscription to the driver gets new ones. */
  complete(): void {
    this.#source?.close()
    this.#sourceBefore = { ...this.sourceTotals(), held: 0 }
    this.#source = undefined
    this.#queues.clear()
  }

  /** As complete(), and sinks drop the packets that they have and all that come. */
  end(): void {
    this.#ended = true
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
    this.#source ??= this.newSource(this)
    return this.#source
  }

  #sinkOf({ overflow, highWaterMark, whileAbsent }: SinkSettings): OwnSink {
    const known = this.#sinks.find(
      ({ settings }) =>
        settings.overflow === overflow &&
        settings.highWaterMark === highWaterMark &&
        settings.whileAbsent === whileAbsent,
    )
    if (known) return known
    const settings = { overflow, highWaterMark, whileAbsent }
    const own = { settings, group: new SinkGroup(dataPlane(), settings), faces: new ByPair<VhostSink>() }
    this.#sinks = this.#sinks.concat(own)
    this.#current?.attachSink(own.group)
    return own
  }
}
