// Gives a burst to everyone who is subscribed to a queue, then gives back what nobody retained, and keeps what nobody
// was given. The queue (source.ts) fills the list of a visit and says when; here nothing is known of rings and credit.
//
// The list. A queue has one while it is visited, or while something is left in it. So a few lists go round among all
//   queues, and are in the cache.
//
// After an interruption. A subscriber that ended inside its `next` counts as having got the whole burst, unless the
//   operator that stopped half-way marked where (`cut`). What every one of them missed stays in the list.
import {
  BURST_PACKETS,
  type Burst,
  type BurstCore,
  borrow,
  endBorrow,
  packetFaults,
} from '../../packet/burst.js'
import { borrowPacket, endPacket, type Packet } from '../../packet/packet.js'
import type { Pool } from '../pool/pool.js'
import type { Turn } from '../turn/turn.js'

/** What a queue emits to: an rxjs Subscriber is one. */
export interface Target<T> {
  readonly closed: boolean
  next(value: T): void
  complete(): void
}

const NOBODY: readonly never[] = []

export class Delivery {
  /** The burst in hand; between visits, what nobody was given of the last. */
  #core: BurstCore | null = null
  /** Packets that operators threw at. */
  failed = 0
  /** Inside deliver(). */
  busy = false
  #bursts: readonly Target<Burst>[] = NOBODY
  #packets: readonly Target<Packet>[] = NOBODY

  constructor(
    readonly pool: Pool,
    readonly turn: Turn,
    readonly size: number,
  ) {}

  /** A visit begins: the list for its bursts, with what nobody was given of the last. */
  begin(): BurstCore {
    this.#core ??= this.pool.cores.take(this.size)
    return this.#core
  }

  /** It is over. */
  end(): void {
    const core = this.#core
    // One that is larger than those that go round stays with its queue: it would be made anew for each visit.
    if (core === null || core.length > 0 || core.ids.length > BURST_PACKETS) return
    this.#core = null
    this.pool.cores.give(core)
  }

  /** Packets that nobody was given of the last burst. */
  get carried(): number {
    return this.#core?.length ?? 0
  }

  /** Is anyone subscribed? */
  get wanted(): boolean {
    return this.#bursts.length + this.#packets.length > 0
  }

  // The lists are replaced, never altered: a delivery goes on with those who were there when it began.
  addBursts(target: Target<Burst>): void {
    this.#bursts = this.#bursts.concat(target)
  }

  addPackets(target: Target<Packet>): void {
    this.#packets = this.#packets.concat(target)
  }

  remove(target: Target<Burst> | Target<Packet>): void {
    this.#bursts = this.#bursts.filter(other => other !== target)
    this.#packets = this.#packets.filter(other => other !== target)
  }

  complete(): void {
    for (const target of [...this.#bursts, ...this.#packets]) target.complete()
  }

  /** Gives what is in the list of this visit. */
  deliver(core: BurstCore): void {
    const { turn } = this
    const faults = packetFaults.count
    let seen = 0
    this.busy = true
    turn.begin()
    try {
      if (this.#bursts.length > 0) seen = this.#giveBurst(core)
      if (this.#packets.length > 0) seen = Math.max(seen, this.#givePackets(core))
    } finally {
      turn.end()
      this.busy = false
      this.failed += core.failed + packetFaults.count - faults
      core.failed = 0
      this.#done(core, seen)
    }
  }

  /** Releases what nobody was given; how many packets that were. */
  drop(): number {
    const core = this.#core
    if (core === null) return 0
    const { length } = core
    this.#done(core, length)
    return length
  }

  /** The first `count` packets in hand are done with. */
  #done(core: BurstCore, count: number): void {
    const { ids, length } = core
    this.pool.releaseAll(ids, 0, count)
    if (count < length) ids.copyWithin(0, count, length)
    core.length = length - count
  }

  /** Moves packets that nobody was given, with their leases, to the empty `core`. */
  moveTo(core: BurstCore, max: number): void {
    const own = this.#core
    if (own === null) return
    const count = Math.min(own.length, max)
    for (let i = 0; i < count; i++) core.ids[i] = own.ids[i]
    core.length = count
    own.ids.copyWithin(0, count, own.length)
    own.length -= count
    this.end()
  }

  // These two return the index of the first packet that none of their subscribers was given.

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
        const all = !target.closed || core.cut < 0
        seen = Math.max(seen, all ? core.length : core.cut)
        if (core.skipped.length === 0) continue
        // Another subscriber saw them, or will.
        if (target.closed && targets.length === 1) seen = putBack(core, seen)
        core.skipped.length = 0
      }
    } finally {
      endBorrow(burst)
    }
    return seen
  }

  #givePackets(core: BurstCore): number {
    const { pool } = this
    const targets = this.#packets
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
}

/** Puts what was skipped behind what was seen, in order; how many were seen. */
function putBack(core: BurstCore, seen: number): number {
  const again = core.ids.slice(0, core.length).filter((id, i) => i >= seen || core.skipped.includes(id))
  const done = core.ids.slice(0, seen).filter(id => !core.skipped.includes(id))
  core.ids.set(done)
  core.ids.set(again, done.length)
  return done.length
}
