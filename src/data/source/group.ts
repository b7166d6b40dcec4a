// The from-guest queues of all pairs of a device as one: a subscriber gets the bursts of every pair. Each pair has its own
// queue (source.ts), with its drain loop and credit. The group joins each subscriber to all of them, also to those of pairs
// that the guest begins to use later. It follows devices as a single queue follows rings.

import { VhostError } from '../../errors.js'
import type { Burst, BurstCore } from '../../packet/burst.js'
import type { Packet } from '../../packet/packet.js'
import { sumTotals, type Totals } from '../counters/totals.js'
import type { DataPlane } from '../plane.js'
import type { Pool } from '../pool/pool.js'
import type { PairPorts } from '../ring/pair-ports.js'
import type { Target } from './delivery.js'
import type { SourceOptions, SourceOwner, Stalled } from './options.js'
import { SourceQueue } from './source.js'

/** Is told of queues that have no credit and whose holders release nothing. */
export type StallListener = Pick<SourceOwner, 'stalled'>

type Joined =
  | { readonly by: 'bursts'; readonly target: Target<Burst> }
  | { readonly by: 'packets'; readonly target: Target<Packet> }

export class SourceGroup implements SourceOwner {
  readonly #plane: DataPlane
  readonly #options: SourceOptions
  readonly #onStalled: StallListener | undefined
  /** By pair; undefined for pairs that were never used. */
  readonly #members: (SourceQueue | undefined)[]
  /** The subscribers. The list is replaced, never altered. */
  #joined: readonly Joined[] = []
  #device: PairPorts | null = null
  #closed = false
  /** Index of the member that take() tries first. */
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

  /** The guest has begun to use this pair. */
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

  /** As SourceQueue.idle(), for all pairs. */
  idle(): void {
    for (const queue of this.#members) queue?.idle()
  }

  /** The queue of one pair. It may also have subscribers of its own. */
  member(pair: number): SourceQueue {
    const known = this.#members[pair]
    if (known !== undefined) return known
    const queue = new SourceQueue(this.#plane, this.#options, pair, this)
    this.#members[pair] = queue
    if (this.#closed) queue.close()
    for (const joined of this.#joined) join(queue, joined)
    return queue
  }

  /** From a member: the guest sent packets on this pair. */
  dequeued({ ids, length }: BurstCore, pair: number): void {
    const device = this.#device
    if (device?.several) device.flows.learn(this.#plane.pool, ids, length, pair)
  }

  /** From a member: it has no credit, and nobody releases its packets. */
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

  /** Plain call: dequeues from the first pair that has packets. Each call begins with the next pair. */
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
