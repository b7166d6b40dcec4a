// Delivers the bursts of a queue (source.ts) to all of its subscribers, releases the packets that nobody retained, and stores
// those that nobody was given.
//
// The core. A queue has a burst core during a visit, and between visits only if packets are left in it. So a few cores serve
//   all queues, and stay in the processor's cache.
//
// Interruption. A subscriber that ends inside its `next` counts as having got the whole burst, unless the operator that
//   stopped half-way marked where (`cut`). Packets that no subscriber was given stay in the core.
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
  /** The burst of this visit; between visits, the undelivered packets of the last one. */
  #core: BurstCore | null = null
  /** Packets at which an operator threw. */
  failed = 0
  /** Inside deliver(). */
  busy = false
  #bursts: readonly Target<Burst>[] = NOBODY
  #packets: readonly Target<Packet>[] = NOBODY

  /** `size`: packets of a burst at most. */
  constructor(
    readonly pool: Pool,
    readonly turn: Turn,
    readonly size: number,
  ) {}

  /** A visit begins: returns the core for its bursts, with the undelivered packets of the last visit. */
  begin(): BurstCore {
    this.#core ??= this.pool.cores.take(this.size)
    return this.#core
  }

  /** The visit is over. */
  end(): void {
    const core = this.#core
    // The pool reuses only cores of the usual size. A queue with larger ones stores its own, or each visit would allocate one.
    if (core === null || core.length > 0 || core.ids.length > BURST_PACKETS) return
    this.#core = null
    this.pool.cores.give(core)
  }

  /** Packets of the last burst that no subscriber was given. */
  get undelivered(): number {
    return this.#core?.length ?? 0
  }

  /** Whether there are subscribers. */
  get wanted(): boolean {
    return this.#bursts.length + this.#packets.length > 0
  }

  // The lists are replaced, never altered: a delivery goes on with the subscribers that were there when it began.
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

  /** Delivers the packets in the core of this visit. */
  deliver(core: BurstCore): void {
    const { turn } = this
    const faults = packetFaults.count
    let seen = 0
    this.busy = true
    turn.begin()
    try {
      if (this.#bursts.length > 0) seen = this.#emitBurst(core)
      if (this.#packets.length > 0) seen = Math.max(seen, this.#emitPackets(core))
    } finally {
      turn.end()
      this.busy = false
      this.failed += core.failed + packetFaults.count - faults
      core.failed = 0
      this.#release(core, seen)
    }
  }

  /** Releases the undelivered packets; returns their number. */
  drop(): number {
    const core = this.#core
    if (core === null) return 0
    const { length } = core
    this.#release(core, length)
    return length
  }

  /** Moves undelivered packets, at most `max`, with their leases to `core`, which is empty. */
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

  /** Releases the first `count` packets of the core and takes them out of it. */
  #release(core: BurstCore, count: number): void {
    const { ids, length } = core
    this.pool.releaseAll(ids, 0, count)
    if (count < length) ids.copyWithin(0, count, length)
    core.length = length - count
  }

  // #emitBurst and #emitPackets return the index of the first packet that none of their subscribers was given.

  #emitBurst(core: BurstCore): number {
    const targets = this.#bursts
    const burst = borrow(core)
    let seen = 0
    try {
      for (let i = 0; i < targets.length; i++) {
        const target = targets[i]
        if (target.closed) continue
        core.cut = -1
        target.next(burst)
        // If the subscriber goes on, the cut was made in one branch below it (behind `share`): other branches saw the rest.
        const all = !target.closed || core.cut < 0
        seen = Math.max(seen, all ? core.length : core.cut)
        if (core.skipped.length === 0) continue
        // With several subscribers, another one sees the skipped packets.
        if (target.closed && targets.length === 1) seen = putBack(core, seen)
        core.skipped.length = 0
      }
    } finally {
      endBorrow(burst)
    }
    return seen
  }

  #emitPackets(core: BurstCore): number {
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

/** Moves the skipped packets behind those that were seen, in order; returns how many were seen. */
function putBack(core: BurstCore, seen: number): number {
  const again = core.ids.slice(0, core.length).filter((id, i) => i >= seen || core.skipped.includes(id))
  const done = core.ids.slice(0, seen).filter(id => !core.skipped.includes(id))
  core.ids.set(done)
  core.ids.set(again, done.length)
  return done.length
}
