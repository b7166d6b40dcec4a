// The drain loop of a from-guest queue: while it has subscribers and credit, it dequeues bursts and gives each to every
// subscriber, then gives back what nobody retained. It follows rings: ports come and go under it. Multicast; the
// slowest subscriber governs by its leases. It knows no rxjs, only something with next(), and no device.
//
// States. stopped: no subscriber; packets stay in the ring. draining: in the scheduler's lists. sleeping: the ring is
//   empty and its kick armed. exhausted: no credit; kicks are suppressed and the guest's ring fills until half of the
//   credit is back. All work is done in serve(), which only the scheduler calls: a release(), a kick or a subscribe()
//   never emits. What nobody was given of an interrupted burst stays in `core` for the next subscriber (DESIGN §5.5).
import { BURST_PACKETS, BurstCore, borrow, type Burst, endBorrow, packetFaults } from '../burst.js'
import { VhostError } from '../errors.js'
import { borrowPacket, endPacket, type Packet } from '../packet.js'
import { KickGuard, type Timers } from './kick-guard.js'
import { mergeDrops } from './counters.js'
import type { Pool } from './pool.js'
import { MAX_BURST } from './pool-arrays.js'
import { COUNT, CREDIT, FAULT, MORE, NO_SLOT, type PortEvents, type QueuePort, STOPPED } from './port.js'
import { LATER, LEAVE, MORE_NOW, type Scheduler, type Task, type Visit } from './scheduler.js'
import { StallWatch, type Stalled } from './stall-watch.js'
import type { Turn } from './turn.js'

/** Packets and bytes under lease per queue, unless asked otherwise. */
export const CREDIT_PACKETS = 1024
export const CREDIT_BYTES = 8 << 20
/** How long an adaptive queue looks at its empty ring before it asks for a kick. */
export const POLL_MS = 0.05
/** Large slots kept back for each queue, besides one burst of small ones: a few segmentation-offload frames. */
const LARGE_RESERVE = 4

export type PollMode = 'adaptive' | 'interrupt' | 'busy'

/** What a source emits to: an rxjs Subscriber is one. */
export interface Target<T> {
  readonly closed: boolean
  next(value: T): void
  complete(): void
}

/** What all queues of an env share. */
export interface DataPlane {
  readonly pool: Pool
  readonly scheduler: Scheduler
  readonly turn: Turn
  /** For timeouts; Node's own unless a test has others. */
  readonly timers?: Timers
}

export interface SourceOptions {
  poll?: PollMode
  /** Packets that may be under lease before the queue stops. */
  highWaterMark?: number
  highWaterBytes?: number
  /** Packets of one burst at most. */
  burst?: number
  /** No lease was released for a while, and there is no credit left. */
  onStalled?: (stalled: Stalled) => void
  /** The first subscriber came. */
  onStart?: () => void
  /** The last subscriber left. */
  onStop?: () => void
}

export class SourceQueue implements Task, PortEvents {
  queued = false
  deficit = 0
  packets = 0
  bytes = 0
  pipelineErrors = 0
  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #poll: PollMode
  readonly #burst: number
  /** The burst in hand; between visits, what nobody was given of it. */
  readonly #core: BurstCore
  readonly #kicks: KickGuard
  readonly #stall: StallWatch
  readonly #wake = (): void => {
    this.#stall.end()
    if (this.#started) this.#plane.scheduler.ready(this)
  }
  readonly #dropsBefore: Record<string, number> = {}
  #port: QueuePort | null = null
  #account = 0
  #bursts: readonly Target<Burst>[] = []
  #packets: readonly Target<Packet>[] = []
  #started = false
  #closed = false
  #delivering = false
  /** Rises whenever the first subscriber comes or the last one leaves. */
  #epoch = 0
  #armed = false
  #pollUntil = 0

  constructor(plane: DataPlane, options: SourceOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.#poll = options.poll ?? 'adaptive'
    this.#burst = options.burst ?? BURST_PACKETS
    this.#core = new BurstCore(plane.pool, new Uint32Array(this.#burst))
    this.#kicks = new KickGuard(this.#wake, plane.timers)
    this.#stall = new StallWatch(plane.pool, stalled => options.onStalled?.(stalled), plane.timers)
    const packets = options.highWaterMark ?? CREDIT_PACKETS
    this.#account = plane.pool.accounts.open({
      packets,
      bytes: options.highWaterBytes ?? CREDIT_BYTES,
      smallReserve: Math.min(this.#burst, packets),
      largeReserve: LARGE_RESERVE,
    })
  }

  /** Follows this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.#port = port
    this.#armed = false
    port.open(this.#account, this)
    if (this.#started) this.#plane.scheduler.ready(this)
    else port.suppress()
  }

  /** The ring is gone. Packets that were dequeued from it stay valid, subscribers wait for the next one. */
  detach(): void {
    const port = this.#port
    if (port === null) return
    this.#port = null
    this.#kicks.reset(port)
    mergeDrops(this.#dropsBefore, port.drops())
    port.close()
  }

  /** No ring will come any more: subscribers complete. */
  close(): void {
    if (this.#closed) return
    this.detach()
    this.#closed = true
    for (const target of [...this.#bursts, ...this.#packets]) target.complete()
    this.#stall.end()
    if (!this.#delivering) this.#keepFrom(this.#core.length)
    this.#plane.pool.accounts.close(this.#account)
  }

  /** Emits bursts to `target`, from a later turn on, until the returned function is called. */
  addBursts(target: Target<Burst>): () => void {
    if (this.#closed) target.complete()
    if (target.closed) return () => {}
    this.#bursts = [...this.#bursts, target]
    this.#start()
    return () => {
      this.#bursts = this.#bursts.filter(other => other !== target)
      this.#stopIfUnused()
    }
  }

  /** Emits packets one by one. */
  addPackets(target: Target<Packet>): () => void {
    if (this.#closed) target.complete()
    if (target.closed) return () => {}
    this.#packets = [...this.#packets, target]
    this.#start()
    return () => {
      this.#packets = this.#packets.filter(other => other !== target)
      this.#stopIfUnused()
    }
  }

  /** Plain call: up to `max` packets into `core`, whose owner they become. */
  take(core: BurstCore, max: number): number {
    if (this.#started || this.#delivering)
      throw new VhostError('ERR_VHOST_QUEUE_IN_USE', 'someone is subscribed to this queue', {
        fix: 'unsubscribe before dequeueBurst(), or use the subscription',
      })
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    const own = this.#core
    const most = Math.min(max, core.ids.length, MAX_BURST)
    core.length = 0
    if (own.length === 0) {
      this.#dequeue(core, most)
      return core.length
    }
    const count = Math.min(own.length, most)
    for (let i = 0; i < count; i++) core.ids[i] = own.ids[i]
    core.length = count
    own.ids.copyWithin(0, count, own.length)
    own.length -= count
    return count
  }

  /** For bursts of plain calls. */
  get slots(): Pool {
    return this.#plane.pool
  }

  /** Packets under lease, those that nobody was given yet among them. */
  get held(): number {
    return this.#plane.pool.accounts.packets(this.#account)
  }

  /** Drops by reason, those of the ring among them. */
  drops(): Record<string, number> {
    const drops = { 'pipeline-error': this.pipelineErrors, ...this.#dropsBefore }
    if (this.#port !== null) mergeDrops(drops, this.#port.drops())
    return drops
  }

  kick(): void {
    if (this.#kicks.kicked(this.#port) && this.#started) this.#plane.scheduler.ready(this)
  }

  state(): void {
    this.#armed = false
    if (this.#started) this.#plane.scheduler.ready(this)
  }

  serve(): Visit {
    const epoch = this.#epoch
    if (!this.#started) return LEAVE
    if (this.#armed) {
      this.#armed = false
      this.#port?.suppress()
    }
    do {
      if (this.#core.length === 0) {
        const result = this.#dequeue(this.#core, Math.min(this.#burst, this.deficit))
        if (this.#core.length === 0) return this.#nothing(result)
      }
      this.deficit -= this.#core.length
      this.#deliver()
      // Who subscribed anew in the meantime starts in a later turn.
      if (this.#epoch !== epoch || !this.#started) return LEAVE
    } while (this.deficit > 0 && !this.#plane.scheduler.expired())
    return MORE_NOW
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#epoch++
    this.#options.onStart?.()
    this.#plane.scheduler.ready(this)
  }

  #stopIfUnused(): void {
    if (!this.#started || this.#bursts.length + this.#packets.length > 0) return
    this.#started = false
    this.#epoch++
    this.#armed = false
    this.#port?.suppress()
    this.#stall.end()
    this.#options.onStop?.()
  }

  #dequeue(core: BurstCore, max: number): number {
    const port = this.#port
    if (port === null) return STOPPED
    const { pool } = this.#plane
    const before = pool.accounts.bytes(this.#account)
    const result = port.dequeue(max)
    const count = result & COUNT
    if (count === 0) return result
    const { exchange } = port
    for (let i = 0; i < count; i++) core.ids[i] = exchange[i]
    core.length = count
    this.packets += count
    this.bytes += pool.accounts.bytes(this.#account) - before
    this.#kicks.worked()
    this.#pollUntil = 0
    return result
  }

  // The ring gave nothing: how to wait for what comes.
  #nothing(result: number): Visit {
    const { pool, scheduler } = this.#plane
    const port = this.#port
    if (port === null) return LEAVE
    if (result & (CREDIT | NO_SLOT)) {
      port.suppress()
      if (result & CREDIT) pool.accounts.whenHalf(this.#account, this.#wake)
      else pool.whenFreed(this.#wake)
      this.#stall.begin(this.#account)
      return LEAVE
    }
    if (result & MORE) {
      this.deficit -= this.#burst
      return this.deficit > 0 ? MORE_NOW : LATER
    }
    if (result & (FAULT | STOPPED) && !port.running) return LEAVE
    if (this.#poll === 'busy') return LATER
    if (this.#poll === 'adaptive') {
      if (this.#pollUntil === 0) this.#pollUntil = scheduler.now() + POLL_MS
      if (scheduler.now() < this.#pollUntil) return LATER
    }
    this.#pollUntil = 0
    this.#armed = true
    return port.arm() ? LATER : LEAVE
  }

  #deliver(): void {
    const core = this.#core
    const { turn } = this.#plane
    const faults = packetFaults.count
    let seen = 0
    this.#delivering = true
    turn.begin()
    try {
      if (this.#bursts.length > 0) seen = this.#giveBurst(core)
      if (this.#packets.length > 0) seen = Math.max(seen, this.#givePackets(core))
    } finally {
      turn.end()
      this.#delivering = false
      this.pipelineErrors += core.failed + packetFaults.count - faults
      core.failed = 0
      this.#keepFrom(this.#closed ? core.length : seen)
    }
  }

  // Gives the burst to every subscriber; the index of the first packet that none of them was given.
  #giveBurst(core: BurstCore): number {
    const targets = this.#bursts
    const burst = borrow(core)
    let seen = 0
    try {
      for (let i = 0; i < targets.length; i++) {
        const target = targets[i]
        if (target.closed) continue
        core.cut = -1
        target.next(burst)
        // A cut below a subscriber that goes on (behind `share`) is that branch's own loss: the others saw the rest.
        seen = Math.max(seen, target.closed && core.cut >= 0 ? core.cut : core.length)
      }
    } finally {
      endBorrow(burst)
    }
    return seen
  }

  #givePackets(core: BurstCore): number {
    const targets = this.#packets
    const { pool } = this.#plane
    let seen = 0
    for (; seen < core.length; seen++) {
      const packet = borrowPacket(pool, core.ids[seen])
      let given = false
      for (let i = 0; i < targets.length; i++) {
        if (targets[i].closed) continue
        given = true
        targets[i].next(packet)
      }
      if (pool.strict) endPacket(packet)
      if (!given) break
    }
    return seen
  }

  // The first `seen` packets are done with; the rest stays for the next subscriber.
  #keepFrom(seen: number): void {
    const core = this.#core
    const { pool } = this.#plane
    const { ids, length } = core
    for (let i = 0; i < seen; i++) pool.release(ids[i])
    if (seen < length) ids.copyWithin(0, seen, length)
    core.length = length - seen
  }
}
