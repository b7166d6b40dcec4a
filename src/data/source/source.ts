// The drain loop of a from-guest queue: while it has subscribers and credit it dequeues bursts and has them delivered.
// Multicast: the slowest subscriber governs by its leases. Above ring.ts, which dequeues and waits. It knows no rxjs
// and no device.
//
// States. stopped: no subscriber; packets stay in the ring. draining: in the scheduler's lists. sleeping: the ring is
//   empty and its kick armed. exhausted: no credit. All work is done in serve(), which only the scheduler calls: a
//   release(), a kick or a subscribe() never emits.

import { VhostError } from '../../errors.js'
import type { Burst, BurstCore } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { mergeDrops } from '../counters/counters.js'
import type { Totals } from '../counters/totals.js'
import type { DataPlane, SourceOptions, SourceOwner } from '../plane.js'
import { MAX_BURST } from '../pool/arrays.js'
import type { Pool } from '../pool/pool.js'
import { LEAVE, MORE_NOW, type Visit } from '../turn/scheduler.js'
import { Delivery, type Target } from './delivery.js'
import { SourceRing } from './ring.js'

export class SourceQueue extends SourceRing {
  readonly #delivery: Delivery
  #closed = false
  /** Rises when the first subscriber comes and when the last one leaves. */
  #epoch = 0

  constructor(plane: DataPlane, options: SourceOptions = {}, pair = 0, owner: SourceOwner | null = null) {
    super(plane, options, pair, owner)
    this.#delivery = new Delivery(plane.pool, plane.turn, this.burst)
  }

  /** No ring will come any more: subscribers complete, what nobody was given is dropped. */
  close(): void {
    if (this.#closed) return
    this.detach()
    this.#closed = true
    this.#delivery.complete()
    this.stop()
    if (!this.#delivery.busy) {
      this.#dropCarried()
      this.#delivery.end()
    }
    this.credit.close()
  }

  /** Nobody is left who would subscribe again at once: what was kept for him, and the reserve, go back to the pool. */
  rest(): void {
    if (this.started || this.port !== null || this.#closed || !this.credit.isOpen) return
    this.#dropCarried()
    this.#delivery.end()
    this.credit.rest()
  }

  /** Emits bursts to `target`, from a later turn on, until it is removed. */
  addBursts(target: Target<Burst>): void {
    if (this.#closed) target.complete()
    if (target.closed) return
    this.#delivery.addBursts(target)
    this.#begin()
  }

  /** The same packets, one by one. */
  addPackets(target: Target<Packet>): void {
    if (this.#closed) target.complete()
    if (target.closed) return
    this.#delivery.addPackets(target)
    this.#begin()
  }

  /** Emits nothing to it any more. */
  remove(target: Target<Burst> | Target<Packet>): void {
    this.#delivery.remove(target)
    if (this.started && !this.#delivery.wanted) this.#end()
  }

  /** Plain call: up to `max` packets into `core`, which owns them then. */
  take(core: BurstCore, max: number): void {
    if (this.started || this.#delivery.busy)
      throw new VhostError('ERR_VHOST_QUEUE_IN_USE', 'someone is subscribed to this queue', {
        fix: 'unsubscribe before dequeueBurst(), or use the subscription',
      })
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    const most = Math.min(max, core.ids.length, MAX_BURST)
    if (this.#delivery.carried > 0) this.#delivery.moveTo(core, most)
    else this.dequeue(core, most)
  }

  /** For bursts of plain calls. */
  get slots(): Pool {
    return this.plane.pool
  }

  /** Packets of an interrupted burst that nobody was given yet. */
  get unseen(): number {
    return this.#delivery.busy ? 0 : this.#delivery.carried
  }

  override totals(): Totals {
    const totals = super.totals()
    const { failed } = this.#delivery
    if (failed > 0) mergeDrops(totals.drops, { 'pipeline-error': failed })
    return totals
  }

  serve(): Visit {
    if (!this.started) return LEAVE
    this.look()
    const visit = this.#visit(this.#delivery.begin())
    this.#delivery.end()
    return visit
  }

  #visit(core: BurstCore): Visit {
    const epoch = this.#epoch
    do {
      if (core.length === 0) {
        const result = this.dequeue(core, Math.min(this.burst, this.deficit))
        if (core.length === 0) return this.nothing(result)
      }
      this.deficit -= core.length
      this.#delivery.deliver(core)
      if (this.#closed) this.#dropCarried()
      // Who subscribed anew in the meantime starts in a later turn.
      if (this.#epoch !== epoch || !this.started) return LEAVE
    } while (this.deficit > 0 && !this.plane.scheduler.expired())
    return MORE_NOW
  }

  #begin(): void {
    if (this.started) return
    this.started = true
    this.#epoch++
    this.options.onStart?.()
    this.ready()
  }

  #end(): void {
    this.started = false
    this.#epoch++
    this.stop()
    this.options.onStop?.()
  }

  #dropCarried(): void {
    const length = this.#delivery.drop()
    if (length > 0) this.tally.drop('gone', length)
  }
}
