// The two queues of a pair as users see them: an Observable of packets from the guest, a sink to the guest, plain burst
// calls and statistics. data/source and data/sink do the work.
// VhostQueue is an Observable and so must not define a member that rxjs 7 uses: source, operator, lift, forEach, pipe.
import { Observable, type SchedulerLike, type Subscriber } from 'rxjs'
import type { SinkQueue } from '../data/sink/sink.js'
import type { SourceQueue } from '../data/source/source.js'
import { adopt, BURST_PACKETS, type Burst, type HeldBurst, refillable, reopen } from '../packet/burst.js'
import type { Packet } from '../packet/packet.js'
import type { Overflow, PacketSink, StationWatcher } from '../packet/sink.js'
import { FREE, type QueueLife, whileIn } from './life.js'
import { QueueMeter, type StatsSample } from './meter.js'
import { type SinkStats, type SourceStats, sinkStats, sourceStats } from './stats.js'

/** The queue behind: that of one pair, or of all pairs of a device (data/source/group.ts, data/sink/group.ts). */
export type SourceEnd = Pick<SourceQueue, 'addBursts' | 'addPackets' | 'remove' | 'take' | 'slots' | 'totals'>
export type SinkEnd = Pick<
  SinkQueue,
  'next' | 'accept' | 'available' | 'enqueue' | 'whenDrained' | 'use' | 'totals' | 'sendFrame' | 'watch'
>

function subscribe<T extends Burst | Packet>(
  life: QueueLife,
  queue: SourceEnd,
  subscriber: Subscriber<T>,
  add: (to: Subscriber<T>) => void,
): () => void {
  life.use?.()
  const { ended } = life
  if (ended) subscriber.add(ended.subscribe(() => subscriber.complete()))
  add(subscriber)
  return () => {
    queue.remove(subscriber as Subscriber<Burst> | Subscriber<Packet>)
    life.leave?.()
  }
}

/**
 * Packets out of the guest, as an Observable of bursts. Multicast: each burst goes to every subscriber. The first
 * subscription starts dequeuing, in a later turn; with none, packets stay in the guest's ring.
 */
export class VhostQueue extends Observable<Burst> {
  readonly #queue: SourceEnd
  readonly #life: QueueLife
  #meter: QueueMeter<SourceStats> | undefined
  #packets: Observable<Packet> | undefined

  /** @internal */
  constructor(queue: SourceEnd, life: QueueLife = FREE) {
    super(subscriber => subscribe(life, queue, subscriber, target => queue.addBursts(target)))
    this.#queue = queue
    this.#life = life
  }

  /** The same packets, one by one. A burst per `next` is many times cheaper. */
  get packets(): Observable<Packet> {
    const [queue, life] = [this.#queue, this.#life]
    this.#packets ??= new Observable(subscriber =>
      subscribe(life, queue, subscriber, target => queue.addPackets(target)),
    )
    return this.#packets
  }

  /** The queue itself, for symmetry with `packets`. */
  get bursts(): Observable<Burst> {
    return this
  }

  /** An empty burst that `dequeueBurst(burst)` can fill again and again without allocating. */
  createBurst(max = BURST_PACKETS): HeldBurst {
    return refillable(this.#queue.slots.cores.make(max))
  }

  /**
   * Dequeues up to `max` packets now and returns them; the caller releases the burst. With a burst of `createBurst`,
   * releases its packets and fills it again.
   *
   * @throws VhostError `ERR_VHOST_QUEUE_IN_USE` while someone is subscribed; `ERR_VHOST_DEVICE_GONE` once the device is gone.
   */
  dequeueBurst(max?: number): HeldBurst
  dequeueBurst(burst: HeldBurst, max?: number): HeldBurst
  dequeueBurst(first?: number | HeldBurst, most?: number): HeldBurst {
    if (typeof first === 'object') {
      const core = reopen(first)
      this.#queue.take(core, most ?? core.ids.length)
      return first
    }
    const core = this.#queue.slots.cores.make(first ?? BURST_PACKETS)
    this.#queue.take(core, core.ids.length)
    return adopt(core, 'dequeueBurst')
  }

  /** What was counted so far, or since `resetStats()`: a new object, read from memory without a native call. */
  get stats(): SourceStats {
    return this.#measured.now()
  }

  /**
   * Emits the statistics at every interval, with their change and rates. It does not start dequeuing. It goes on until it is
   * unsubscribed or the device is gone.
   *
   * ```
   * stats$(1000): ----------s---------s---------s      s = { time, seconds, total, change, perSecond }
   * ```
   *
   * @param ms The interval in milliseconds; default 1,000.
   * @param scheduler For tests in virtual time; default rxjs' `asyncScheduler`.
   */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<StatsSample<SourceStats>> {
    return whileIn(this.#life, this.#measured.every(ms, scheduler))
  }

  /** Sets `stats` of this queue to zero. Other objects for the same ring are not affected. */
  resetStats(): void {
    this.#measured.reset()
  }

  get #measured(): QueueMeter<SourceStats> {
    this.#meter ??= new QueueMeter(this.#queue, sourceStats)
    return this.#meter
  }
}

/** A sink to the guest, for `enqueue`, `mirror` and `source.subscribe(sink)`. */
export class VhostSink implements PacketSink {
  readonly #queue: SinkEnd
  readonly #life: QueueLife
  #meter: QueueMeter<SinkStats> | undefined

  /** @internal */
  constructor(queue: SinkEnd, life: QueueLife = FREE) {
    this.#queue = queue
    this.#life = life
  }

  /**
   * Enqueues packets of the burst, from number `from` on, as far as the ring has room, and returns their number. Queues none
   * of the others: the burst stays the caller's, who can try again.
   *
   * @throws VhostError `ERR_VHOST_DEVICE_GONE` once the device is gone.
   */
  enqueueBurst(burst: Burst | HeldBurst, from = 0): number {
    return this.#queue.enqueue(burst, from)
  }

  next(item: Burst | Packet): void {
    this.#queue.next(item)
  }

  accept(item: Burst | Packet, overflow: Overflow): boolean {
    return this.#queue.accept(item, overflow)
  }

  /** False: no ring of a guest runs, and packets are dropped now. */
  get available(): boolean {
    return this.#queue.available
  }

  whenDrained(done: () => void): () => void {
    return this.#queue.whenDrained(done)
  }

  use(): () => void {
    this.#life.use?.()
    const done = this.#queue.use()
    let used = true
    return () => {
      if (!used) return
      used = false
      done()
      this.#life.leave?.()
    }
  }

  sendFrame(frame: Uint8Array): void {
    this.#queue.sendFrame(frame)
  }

  watch(watcher: StationWatcher): () => void {
    return this.#queue.watch(watcher)
  }

  /** What was counted so far, or since `resetStats()`: a new object, read from memory without a native call. */
  get stats(): SinkStats {
    return this.#measured.now()
  }

  /** Emits the statistics at every interval, as `stats$` of a {@link VhostQueue}. */
  stats$(ms?: number, scheduler?: SchedulerLike): Observable<StatsSample<SinkStats>> {
    return whileIn(this.#life, this.#measured.every(ms, scheduler))
  }

  /** Sets `stats` of this sink to zero. */
  resetStats(): void {
    this.#measured.reset()
  }

  get #measured(): QueueMeter<SinkStats> {
    this.#meter ??= new QueueMeter(this.#queue, sinkStats)
    return this.#meter
  }
}
