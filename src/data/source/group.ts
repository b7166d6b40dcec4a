// The from-guest queues of all pairs of a device as one: everyone who subscribes gets the bursts of every pair. Each pair
// has its own drain loop (source.ts), credit and visits; here subscribers are joined to all of them, also to those of pairs
// that a guest begins to use later. Follows devices as a single queue does. It knows no rxjs.

import { VhostError } from '../../errors.js'
import type { Burst, BurstCore } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { sumTotals, type Totals } from '../counters/totals.js'
import type { FlowTable } from '../pair-steering.js'
import type { DataPlane, SourceOptions, SourceOwner } from '../plane.js'
import type { Pool } from '../pool/pool.js'
import type { QueuePort } from '../ring/port.js'
import type { Target } from './delivery.js'
import { SourceQueue } from './source.js'
import type { Stalled } from './stall-watch.js'

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

/** Who is told of a queue that nobody releases packets of. */
export type StallListener = Pick<SourceOwner, 'stalled'>

type Joined =
  | { readonly by: 'bursts'; readonly target: Target<Burst> }
  | { readonly by: 'packets'; readonly target: Target<Packet> }

export class SourceGroup implements SourceOwner {
  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #onStalled: StallListener | undefined
  /** By pair; those that were never used are not there. */
  readonly #members: (SourceQueue | undefined)[]
  /** Replaced, never altered. */
  #joined: readonly Joined[] = []
  #device: PairPorts | null = null
  #closed = false
  /** Where take() looks first. */
  #next = 0

  constructor(plane: DataPlane, options: SourceOptions = {}, onStalled?: StallListener) {
    this.#plane = plane
    this.#options = options
    this.#onStalled = onStalled
    this.#members = [new SourceQueue(plane, options, 0, this)]
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
    for (const queue of this.#members) queue?.detach()
  }

  /** No device will come any more. */
  close(): void {
    this.#closed = true
    this.#device = null
    for (const queue of this.#members) queue?.close()
  }

  rest(): void {
    for (const queue of this.#members) queue?.rest()
  }

  /** The queue of one pair, which may be used by itself as well. */
  member(pair: number): SourceQueue {
    const known = this.#members[pair]
    if (known !== undefined) return known
    const queue = new SourceQueue(this.#plane, this.#options, pair, this)
    this.#members[pair] = queue
    if (this.#closed) queue.close()
    for (const joined of this.#joined) join(queue, joined)
    return queue
  }

  /** From a member: packets came from the guest by this pair. */
  dequeued({ ids, length }: BurstCore, pair: number): void {
    const device = this.#device
    if (device?.several) device.flows.learn(this.#plane.pool, ids, length, pair)
  }

  /** Likewise: nobody releases its packets. */
  stalled(stalled: Stalled, pair: number): void {
    this.#onStalled?.stalled(stalled, pair)
  }

  addBursts(target: Target<Burst>): void {
    this.#join({ by: 'bursts', target })
  }

  addPackets(target: Target<Packet>): void {
    this.#join({ by: 'packets', target })
  }

  remove(target: Target<Burst> | Target<Packet>): void {
    this.#joined = this.#joined.filter(joined => joined.target !== target)
    for (const queue of this.#members) queue?.remove(target)
  }

  /** Plain call: from the first pair that has something, in turn. */
  take(core: BurstCore, max: number): void {
    const members = this.#all
    if (this.#closed) throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the device of this queue is gone')
    for (let i = 0; i < members.length && core.length === 0; i++)
      members[(this.#next + i) % members.length].take(core, max)
    this.#next = (this.#next + 1) % members.length
  }

  get slots(): Pool {
    return this.#plane.pool
  }

  totals(): Totals {
    return sumTotals(this.#all.map(queue => queue.totals()))
  }

  get #all(): SourceQueue[] {
    return this.#members.filter(queue => queue !== undefined)
  }

  #join(joined: Joined): void {
    this.#joined = this.#joined.concat(joined)
    for (const queue of this.#all) if (!joined.target.closed) join(queue, joined)
  }
}

function join(queue: SourceQueue, joined: Joined): void {
  if (joined.by === 'bursts') queue.addBursts(joined.target)
  else queue.addPackets(joined.target)
}
