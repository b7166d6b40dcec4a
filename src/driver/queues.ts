// A driver's own queues: they follow its current device, so that pipelines outlive connections. Made when they are asked
// for first. It knows no socket and no messages.

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
  #source: SourceGroup | undefined
  /** Of the sources that were completed. */
  #sourceBefore: Totals = NO_TOTALS

  /** `life`: pipelines use the driver while they run. */
  constructor(options: VhostDriverOptions, life: QueueLife) {
    this.#options = options
    this.#life = life
  }

  fromGuest(pair?: number): VhostQueue {
    return this.#queues.of(pair, () => {
      const group = this.#group
      this.#current?.attachSource(group)
      return new VhostQueue(pair === undefined ? group : group.member(pair), this.#life)
    })
  }

  toGuest(settings: SinkSettings): VhostSink {
    const { pair } = settings
    const { group, faces } = this.#sinkOf(settings)
    return faces.of(pair, () => new VhostSink(pair === undefined ? group : group.member(pair), this.#life))
  }

  /** This is the current device from now on. */
  follow(current: QueuePairs | undefined): void {
    if (current === this.#current) return
    this.#current = current
    if (current === undefined) return
    if (this.#source) current.attachSource(this.#source)
    for (const { group } of this.#sinks) current.attachSink(group)
  }

  /** The driver's own, for a device that it follows. */
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

  /** From its own source: the current device tells it. */
  stalled(stalled: Stalled, pair: number): void {
    this.#current?.stalled(stalled, pair)
  }

  /** Nothing uses the driver any more: an abandoned one must keep nothing of the pool. */
  rest(): void {
    this.#source?.idle()
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
