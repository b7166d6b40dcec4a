// The from-guest queues of all pairs of a device as one: everyone who subscribes gets the bursts of every pair. Each pair
// has its own drain loop (source.ts), credit and visits; here subscribers are joined to all of them, also to those of pairs
// that a guest begins to use later. Follows devices as a single queue does. It knows no rxjs.
import type { Burst, BurstCore } from '../burst.js'
import { VhostError } from '../errors.js'
import type { Packet } from '../packet.js'
import type { Target } from './delivery.js'
import type { FlowTable } from './flows.js'
import type { DataPlane, SourceOptions } from './plane.js'
import type { Pool } from './pool.js'
import type { QueuePort } from './port.js'
import { SourceQueue } from './source.js'
import { sumTotals, type Totals } from './totals.js'

/** A device, as a group of queues sees it. */
export interface PairPorts {
  /** A port on the ring of that pair that belongs to this direction. */
  port(pair: number): QueuePort
  readonly flows: FlowTable
  /** Pairs whose ring was started once: the first is among them. */
  readonly used: readonly number[]
  /** Does the guest use more than the first pair? */
  readonly several: boolean
}

export interface SourceGroupOptions extends Omit<SourceOptions, 'onStalled'> {
  onStalled?: (pair: number, stalled: Parameters<NonNullable<SourceOptions['onStalled']>>[0]) => void
}

interface Joined {
  /** How it joins one more queue; returns how it leaves. */
  join: (queue: SourceQueue) => () => void
  leave: (() => void)[]
}

export class SourceGroup {
  readonly #plane: DataPlane
  readonly #options: SourceGroupOptions
  /** By pair; those that were never used are not there. */
  readonly #members = new Map<number, SourceQueue>()
  readonly #joined = new Set<Joined>()
  #device: PairPorts | null = null
  #closed = false
  /** Where take() looks first. */
  #next = 0

  constructor(plane: DataPlane, options: SourceGroupOptions = {}) {
    this.#plane = plane
    this.#options = options
    this.member(0)
  }

  /** Follows this device from now on. */
  attach(device: PairPorts): void {
    this.detach()
    this.#device = device
    for (const pair of device.used) this.open(pair)
  }

  /** The guest of the device uses this pair as well from now on. */
  open(pair: number): void {
    if (this.#device !== null) this.member(pair).attach(this.#device.port(pair))
  }

  detach(): void {
    this.#device = null
    for (const queue of this.#members.values()) queue.detach()
  }

  /** No device will come any more. */
  close(): void {
    this.#closed = true
    this.#device = null
    for (const queue of this.#members.values()) queue.close()
  }

  rest(): void {
    for (const queue of this.#members.values()) queue.rest()
  }

  /** The queue of one pair, which may be used by itself as well. */
  member(pair: number): SourceQueue {
    const known = this.#members.get(pair)
    if (known !== undefined) return known
    const { onStalled, ...options } = this.#options
    const { pool } = this.#plane
    const queue = new SourceQueue(this.#plane, {
      ...options,
      onStalled: stalled => onStalled?.(pair, stalled),
      onBurst: core => {
        const device = this.#device
        if (device?.several) device.flows.learn(pool, core.ids, core.length, pair)
      },
    })
    this.#members.set(pair, queue)
    if (this.#closed) queue.close()
    for (const joined of this.#joined) joined.leave.push(joined.join(queue))
    return queue
  }

  addBursts(target: Target<Burst>): () => void {
    return this.#join(target, queue => queue.addBursts(target))
  }

  addPackets(target: Target<Packet>): () => void {
    return this.#join(target, queue => queue.addPackets(target))
  }

  /** Plain call: from the first pair that has something, in turn. */
  take(core: BurstCore, max: number): void {
    const members = [...this.#members.values()]
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    for (let i = 0; i < members.length && core.length === 0; i++)
      members[(this.#next + i) % members.length].take(core, max)
    this.#next = (this.#next + 1) % members.length
  }

  get slots(): Pool {
    return this.#plane.pool
  }

  totals(): Totals {
    return sumTotals([...this.#members.values()].map(queue => queue.totals()))
  }

  #join(target: { readonly closed: boolean }, join: Joined['join']): () => void {
    const joined: Joined = { join, leave: [] }
    this.#joined.add(joined)
    for (const queue of this.#members.values()) {
      if (target.closed) break
      joined.leave.push(join(queue))
    }
    return () => {
      this.#joined.delete(joined)
      for (const leave of joined.leave) leave()
    }
  }
}
