// The drain loop of a from-guest queue: while it has subscribers and credit it dequeues bursts and has them delivered.
// It follows rings: ports come and go under it. Multicast: the slowest subscriber governs by its leases. It knows no
// rxjs and no device.
//
// States. stopped: no subscriber; packets stay in the ring. draining: in the scheduler's lists. sleeping: the ring is
//   empty and its kick armed. exhausted: no credit; kicks are suppressed and the guest's ring fills until half of the
//   credit is back. All work is done in serve(), which only the scheduler calls: a release(), a kick or a subscribe()
//   never emits.
//
// Over budget: one state machine, whose parts would have to know each other's fields.
import { BURST_PACKETS, type Burst, type BurstCore, PRIVATE } from '../burst.js'
import { VhostError } from '../errors.js'
import type { Packet } from '../packet.js'
import { NO_ACCOUNT } from './accounts.js'
import { counterAt, mergeDrops, mergeRingDrops, newCounters } from './counters.js'
import { Delivery, type Target } from './delivery.js'
import { KickGuard } from './kick-guard.js'
import { LATENCY_BUCKETS, LatencyRecorder } from './latency.js'
import { CREDIT_BYTES, CREDIT_PACKETS, type DataPlane, type PollMode, type SourceOptions } from './plane.js'
import type { Pool } from './pool.js'
import { MAX_BURST } from './pool-arrays.js'
import { COUNT, CREDIT, FAULT, MORE, NO_SLOT, type PortEvents, type QueuePort, STOPPED } from './port.js'
import { LATER, LEAVE, MORE_NOW, SPIN, type Task, type Visit } from './scheduler.js'
import { StallWatch } from './stall-watch.js'
import type { Totals } from './totals.js'

/** How long an adaptive queue looks at its empty ring before it asks for a kick. */
export const POLL_MS = 0.05
/** How much of that without a turn of the event loop in between: an answer that is on its way is met at once. */
const SPIN_MS = 0.01
const KICKS = counterAt('kicks')
const STALLS = counterAt('stalls')
/** Large slots kept back for each queue, besides one burst of small ones: a few segmentation-offload frames. */
const LARGE_RESERVE = 4

export class SourceQueue implements Task, PortEvents {
  queued = false
  deficit = 0
  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #poll: PollMode
  readonly #burst: number
  readonly #delivery: Delivery
  readonly #kicks: KickGuard
  readonly #stall: StallWatch
  readonly #wake = (): void => this.#ready()
  readonly #dropsBefore: Record<string, number> = {}
  /** The queue's own, and those of rings that it followed before. */
  readonly #counters = newCounters()
  readonly #kickToDequeue = new LatencyRecorder()
  /** When the kick came that is not answered yet. */
  readonly #kickedAt = new Float64Array(1)
  #kicked = false
  /** Opened when it is needed first. While the queue rests it is closed, or will be when its last packet is back. */
  #account = NO_ACCOUNT
  #resting = false
  #port: QueuePort | null = null
  #started = false
  #closed = false
  /** Rises when the first subscriber comes and when the last one leaves. */
  #epoch = 0
  #armed = false
  #pollUntil = 0
  /** The last look found nothing, and the next is to come at once. */
  #spinning = false

  constructor(plane: DataPlane, options: SourceOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#poll = options.poll ?? 'adaptive'
    this.#burst = Math.min(options.burst ?? BURST_PACKETS, MAX_BURST)
    this.#delivery = new Delivery(plane.pool, plane.turn, this.#burst)
    this.#kicks = new KickGuard(this.#wake, plane.timers)
    this.#stall = new StallWatch(plane.pool, stalled => options.onStalled?.(stalled), plane.timers)
  }

  /** Follows this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#openAccount()
    this.#port = port
    this.#armed = false
    port.open(this.#account, this)
    port.suppress()
    this.#ready()
  }

  /** The ring is gone. Packets that were dequeued from it stay valid; subscribers wait for the next ring. */
  detach(): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#kicks.reset(port)
    this.#kicked = false
    port.count(this.#counters)
    port.close()
  }

  /** No ring will come any more: subscribers complete, what nobody was given is dropped. */
  close(): void {
    if (this.#closed) return
    this.detach()
    this.#closed = true
    this.#delivery.complete()
    this.#stall.stop()
    if (!this.#delivery.busy) this.#dropCarried()
    if (this.#account !== NO_ACCOUNT && !this.#resting) this.#plane.pool.accounts.close(this.#account)
  }

  /** Nobody is left who would subscribe again at once: what was kept for him, and the reserve, go back to the pool. */
  rest(): void {
    const account = this.#account
    if (this.#started || this.#port !== null || this.#closed || this.#resting || account === NO_ACCOUNT)
      return
    this.#dropCarried()
    this.#resting = true
    this.#plane.pool.accounts.close(account, () => {
      if (this.#account === account) this.#account = NO_ACCOUNT
    })
  }

  /** Emits bursts to `target`, from a later turn on, until the returned function is called. */
  addBursts(target: Target<Burst>): () => void {
    if (this.#closed) target.complete()
    if (target.closed) return () => {}
    this.#delivery.addBursts(target)
    return this.#begin(target)
  }

  /** The same packets, one by one. */
  addPackets(target: Target<Packet>): () => void {
    if (this.#closed) target.complete()
    if (target.closed) return () => {}
    this.#delivery.addPackets(target)
    return this.#begin(target)
  }

  /** Plain call: up to `max` packets into `core`, which owns them then. */
  take(core: BurstCore, max: number): void {
    if (this.#started || this.#delivery.busy)
      throw new VhostError('ERR_VHOST_QUEUE_IN_USE', 'someone is subscribed to this queue', {
        fix: 'unsubscribe before dequeueBurst(), or use the subscription',
      })
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    const most = Math.min(max, core.ids.length, MAX_BURST)
    if (this.#delivery.core.length > 0) this.#delivery.moveTo(core, most)
    else this.#dequeue(core, most)
  }

  /** For bursts of plain calls. */
  get slots(): Pool {
    return this.#plane.pool
  }

  /** Packets of an interrupted burst that nobody was given yet. */
  get unseen(): number {
    return this.#delivery.busy ? 0 : this.#delivery.core.length
  }

  /** Packets under lease, those that nobody was given yet among them. */
  get held(): number {
    return this.#account === NO_ACCOUNT ? 0 : this.#plane.pool.accounts.packets(this.#account)
  }

  /** All that was counted, with all rings that this queue followed. */
  totals(): Totals {
    const counters = this.#counters.slice()
    this.#port?.count(counters)
    const drops = { ...this.#dropsBefore }
    mergeDrops(drops, { 'pipeline-error': this.#delivery.failed })
    mergeRingDrops(drops, counters)
    const latencies = this.#kickToDequeue.counts?.slice() ?? new Float64Array(LATENCY_BUCKETS)
    return { counters, drops, held: this.held, latencies }
  }

  kick(): void {
    this.#counters[KICKS]++
    if (this.#started && !this.#kicked) this.#kickedAt[0] = this.#plane.scheduler.clock[0]
    this.#kicked ||= this.#started
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.#port) && this.#started) this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#armed = false
    this.#ready()
  }

  serve(): Visit {
    if (!this.#started) return LEAVE
    const epoch = this.#epoch
    const { core } = this.#delivery
    if (this.#armed) {
      this.#armed = false
      this.#port?.suppress()
    }
    do {
      if (core.length === 0) {
        const result = this.#dequeue(core, Math.min(this.#burst, this.deficit))
        if (core.length === 0) return this.#nothing(result)
      }
      this.deficit -= core.length
      this.#delivery.deliver()
      if (this.#closed) this.#dropCarried()
      // Who subscribed anew in the meantime starts in a later turn.
      if (this.#epoch !== epoch || !this.#started) return LEAVE
    } while (this.deficit > 0 && !this.#plane.scheduler.expired())
    return MORE_NOW
  }

  #begin(target: Target<Burst> | Target<Packet>): () => void {
    if (!this.#started) {
      this.#started = true
      this.#epoch++
      this.#options.onStart?.()
      this.#ready()
    }
    return () => {
      this.#delivery.remove(target)
      if (this.#started && !this.#delivery.wanted) this.#end()
    }
  }

  #openAccount(): void {
    if (this.#account !== NO_ACCOUNT && !this.#resting) return
    this.#resting = false
    const packets = this.#options.highWaterMark ?? CREDIT_PACKETS
    this.#account = this.#plane.pool.accounts.open({
      packets,
      bytes: this.#options.highWaterBytes ?? CREDIT_BYTES,
      smallReserve: Math.min(this.#burst, packets),
      largeReserve: LARGE_RESERVE,
      drops: this.#dropsBefore,
    })
  }

  #end(): void {
    this.#started = false
    this.#epoch++
    this.#armed = false
    this.#kicked = false
    this.#spinning = false
    this.#port?.suppress()
    this.#stall.stop()
    this.#options.onStop?.()
  }

  #ready(): void {
    this.#stall.end()
    if (this.#started) this.#plane.scheduler.ready(this)
  }

  #dequeue(core: BurstCore, max: number): number {
    const port = this.#port
    core.length = 0
    if (port === null) return STOPPED
    if (this.#kicked) this.#answerKick()
    const { ids, at } = core
    const to = at === PRIVATE ? 0 : at
    // An empty ring is waited at, a little, while nobody else wants a visit: that leaves its lines to the guest.
    const result =
      this.#spinning && this.#plane.scheduler.alone ? port.linger(max, to) : port.dequeue(max, to)
    const count = result & COUNT
    if (count === 0) return result
    if (at === PRIVATE) for (let i = 0; i < count; i++) ids[i] = port.exchange[i]
    core.length = count
    this.#options.onBurst?.(core)
    this.#kicks.worked()
    this.#pollUntil = 0
    this.#spinning = false
    return result
  }

  #answerKick(): void {
    this.#kickToDequeue.recordSince(this.#kickedAt, 0, this.#plane.scheduler.clock)
    this.#kicked = false
  }

  // The ring gave nothing: how to wait for what comes.
  #nothing(result: number): Visit {
    const { pool, scheduler } = this.#plane
    const port = this.#port
    if (port === null) return LEAVE
    if (result & (CREDIT | NO_SLOT)) {
      this.#counters[STALLS]++
      if (result & CREDIT) pool.accounts.whenHalf(this.#account, this.#wake)
      else pool.whenFreed(this.#wake)
      this.#stall.begin(this.#account)
      return LEAVE
    }
    if (result & MORE) {
      // Only garbage so far: it costs as much as packets do.
      this.deficit -= this.#burst
      return this.deficit > 0 ? MORE_NOW : LATER
    }
    if (result & (FAULT | STOPPED) && !port.running) return LEAVE
    this.#spinning = this.#poll === 'busy'
    if (this.#poll === 'adaptive') {
      const now = scheduler.now()
      if (this.#pollUntil === 0) this.#pollUntil = now + POLL_MS
      this.#spinning = now < this.#pollUntil - POLL_MS + SPIN_MS
      if (!this.#spinning && now < this.#pollUntil) return LATER
    }
    if (this.#spinning) return SPIN
    this.#pollUntil = 0
    this.#armed = true
    return port.arm() ? LATER : LEAVE
  }

  #dropCarried(): void {
    const { length } = this.#delivery.core
    if (length > 0) mergeDrops(this.#dropsBefore, { gone: length })
    this.#delivery.done(length)
  }
}
