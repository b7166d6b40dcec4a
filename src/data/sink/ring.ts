// A ring that packets go into, as a sink sees it: it fills the ring, keeps the rest in one FIFO (kept.ts), arms the ring's
// kick and goes on when the guest posts buffers. What it keeps belongs to it and survives an unsubscription. It follows
// rings as source.ts does. Below sink.ts, which says what may be kept; it knows no packets, no overflow, no rxjs.
//
// Waiting. Only a *running* ring without room is waited for; one that is stopped, disabled or gone drops,
//   unless the sink was made with whileAbsent: 'block'.
//
// A base class and not a part: what is called for each burst has one object to look at.
import { PRIVATE } from '../../packet/burst.js'
import type { DropReason } from '../../packet/sink.js'
import { Tally } from '../counters/tally.js'
import type { Totals } from '../counters/totals.js'
import type { DataPlane } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import { KickGuard, nodeTimers } from '../ring/kick-guard.js'
import { COUNT, FAULT, type PortEvents, type QueuePort, STOPPED } from '../ring/port.js'
import { LATER, LEAVE, MORE_NOW, type Task, type Visit } from '../turn/scheduler.js'
import { KeptPackets } from './kept.js'

/**
 * A guest may have posted buffers, but fewer than the next packet needs. It is asked this often in a row at once, then
 * every RETRY_MS: it owes us no kick for buffers that it posted before.
 */
const RETRIES = 8
const RETRY_MS = 1

export abstract class SinkRing implements Task, PortEvents {
  queued = false
  deficit = 0
  protected readonly plane: DataPlane
  protected readonly keptPackets: KeptPackets
  protected port: QueuePort | null = null
  protected closed = false
  /** The ring had no room, and its kick is armed; or it does not run, and `state` will tell. */
  protected waiting = false
  /** Without a ring that runs, what is kept stays. */
  protected readonly waitsWhileAbsent: boolean
  readonly #kicks: KickGuard
  /** Its latency: from a packet's coming to the call that tells the guest of it. */
  readonly #tally = new Tally()
  /** Flushes in a row that moved nothing although there were buffers. */
  #fruitless = 0

  /** `keep`: packets that may be kept of those that may be lost. */
  constructor(plane: DataPlane, keep: number, waitsWhileAbsent: boolean) {
    this.plane = plane
    this.waitsWhileAbsent = waitsWhileAbsent
    this.keptPackets = new KeptPackets(plane.pool, keep)
    this.#kicks = new KickGuard(this, plane.timers)
  }

  /** Fills this ring from now on. */
  attach(port: QueuePort): void {
    this.detach()
    this.port = port
    port.open(0, this)
    port.suppress()
    this.state()
  }

  /** The ring is gone: what was kept for it is dropped for `reason`, unless `whileAbsent` is `block`. */
  detach(reason: DropReason = 'no-device'): void {
    const port = this.port
    if (port === null) return
    this.port = null
    this.waiting = false
    this.#kicks.reset(port)
    this.#tally.leave(port)
    port.close()
    if (!this.waitsWhileAbsent) this.#dropKept(reason)
  }

  /** No ring will come any more; later packets are dropped as `gone`. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.detach('gone')
    this.#dropKept('gone')
  }

  /** Packets kept for the ring. */
  get kept(): number {
    return this.keptPackets.length
  }

  /** All that was counted, with all rings that this queue followed. */
  totals(): Totals {
    return this.#tally.totals(this.port, this.kept)
  }

  kick(): void {
    this.#tally.kicks++
    this.wake()
  }

  wake(): void {
    if (this.#kicks.kicked(this.port)) this.plane.scheduler.ready(this)
  }

  /** There may be something to do. */
  ready(): void {
    this.plane.scheduler.ready(this)
  }

  state(): void {
    this.waiting = false
    if (this.keptPackets.length > 0) this.plane.scheduler.ready(this)
  }

  serve(): Visit {
    if (this.waiting) this.port?.suppress()
    this.waiting = false
    while (this.keptPackets.length > 0) {
      const moved = this.#flushSome()
      if (this.waiting || this.port === null) return LEAVE
      if (moved === 0) return LATER
      this.deficit -= moved
      if (this.deficit <= 0 || this.plane.scheduler.expired()) return MORE_NOW
    }
    return LEAVE
  }

  /** Moves what is kept into the ring, until it has no room. */
  protected drain(): void {
    while (this.keptPackets.length > 0 && !this.waiting && this.#flushSome() > 0);
  }

  /** Moves packets that nobody waits behind into the ring, as many as one call can; result bits. */
  protected push(port: QueuePort, ids: Uint32Array, at: number, from: number, length: number): number {
    if (at !== PRIVATE) return this.#enqueue(port, length - from, at + from)
    const count = Math.min(length - from, MAX_BURST)
    const { exchange } = port
    for (let i = 0; i < count; i++) exchange[i] = ids[from + i]
    return this.#enqueue(port, count, 0)
  }

  // One native call. `waited`: the packets were kept, the oldest first; what is not is there at once.
  #enqueue(port: QueuePort, count: number, at: number, waited = false): number {
    const before = port.notifications
    const result = port.enqueue(count, at)
    if (port.notifications !== before) {
      if (waited) this.keptPackets.record(this.#tally.latency, this.plane.scheduler.clock)
      else this.#tally.latency.recordNone()
    }
    if ((result & COUNT) === 0) return result
    this.#kicks.worked()
    this.#fruitless = 0
    return result
  }

  // One native call for the oldest packets that are kept; how many left.
  #flushSome(): number {
    const port = this.port
    if (port === null || !port.running) return this.#notRunning()
    const count = this.keptPackets.peek(port.exchange)
    const result = this.#enqueue(port, count, 0, true)
    const taken = result & COUNT
    this.keptPackets.letGo(taken)
    if (result & (STOPPED | FAULT)) return taken + this.#notRunning()
    if (taken < count) this.wait(port)
    return taken
  }

  // What was kept for a ring that does not run is dropped, or waits until it runs.
  #notRunning(): number {
    const count = this.keptPackets.length
    this.waiting = this.waitsWhileAbsent
    if (this.waiting) return 0
    this.#dropKept('not-ready')
    return count
  }

  /** The ring has no room for what is kept. */
  protected wait(port: QueuePort): void {
    const { scheduler, timers = nodeTimers } = this.plane
    if (!this.waiting) this.#tally.stalls++
    this.waiting = true
    if (!port.arm()) return
    if (++this.#fruitless <= RETRIES) scheduler.ready(this)
    else timers.set(() => scheduler.ready(this), RETRY_MS)
  }

  #dropKept(reason: DropReason): void {
    this.drop(reason, this.keptPackets.length)
    this.keptPackets.letGo(this.keptPackets.length)
  }

  protected drop(reason: DropReason, count: number): true {
    if (count > 0) this.#tally.drop(reason, count)
    return true
  }
}
