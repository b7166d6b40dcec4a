// Bursts as JavaScript sees them, borrowed (`Burst`) or held (`HeldBurst`): handles on pooled lists of slot ids (BurstCore). Each
// burst gets a fresh handle, so that a late use always throws. Both classes are here since they share private members.

import { VhostError } from '../errors.js'
import { type BurstCore, packetAt } from './burst-core.js'
import { PacketIterator } from './iterator.js'
import { endPacket, type Packet, SLOT_LENGTH, SLOT_SHIFT } from './packet.js'

export * from './burst-core.js'

/** A borrowed handle on `core`. @internal */
export const borrow = (core: BurstCore): Burst => new Burst(core)
/** Ends a borrow: every later use of the handle throws. @internal */
export let endBorrow: (burst: Burst) => void
/** Whether it was not released yet. @internal */
export let isOpen: (burst: HeldBurst) => boolean
/** The core behind a live handle; throws if it has ended. @internal */
export let coreOf: (burst: Burst | HeldBurst) => BurstCore
/** A held burst that takes over the caller's references to its slots. @internal */
export const adopt = (core: BurstCore, name?: string): HeldBurst => new HeldBurst(core, false, name)
/** A held burst that can be refilled any number of times. @internal */
export const refillable = (core: BurstCore): HeldBurst => new HeldBurst(core, true, 'createBurst')
/** Releases the packets of a refillable burst and returns its core to fill. @internal */
export let reopen: (burst: HeldBurst) => BurstCore
/** Sets the owner, which is told of the release. @internal */
export let ownBurst: (burst: HeldBurst, owner: { released(lease: object): void }) => void
/** Releases it on behalf of its holder, whose own release() then does nothing. @internal */
export let revoke: (burst: HeldBurst) => void
/** Releases the packets of a refillable burst; throws if it is not refillable. */
let emptied: (burst: HeldBurst) => BurstCore

abstract class BurstView implements Iterable<Packet> {
  #core: BurstCore | null

  static {
    isOpen = burst => burst.#core !== null
    coreOf = burst => burst.#core ?? burst.late()
    endBorrow = burst => {
      const core = burst.#core
      burst.#core = null
      if (core !== null && core.given.length > 0) {
        for (const packet of core.given) endPacket(packet)
        core.given.length = 0
      }
    }
    reopen = burst => {
      const core = emptied(burst)
      burst.#core = core
      return core
    }
  }

  constructor(core: BurstCore) {
    this.#core = core
  }

  /** Number of packets in the burst. */
  get length(): number {
    return coreOf(this as never).length
  }

  /** Sum of the lengths of its packets in bytes. */
  get bytes(): number {
    const { slots, ids, length } = coreOf(this as never)
    let sum = 0
    for (let i = 0; i < length; i++) sum += slots.meta[(ids[i] << SLOT_SHIFT) + SLOT_LENGTH]
    return sum
  }

  /** The packet at `index`, borrowed for as long as the burst. Throws a `RangeError` beyond its length. */
  packet(index: number): Packet {
    const core = coreOf(this as never)
    if (!(index >= 0 && index < core.length))
      throw new RangeError(`no packet ${index} in a burst of ${core.length}`)
    return packetAt(core, index)
  }

  /** Its packets, borrowed for as long as the burst. */
  [Symbol.iterator](): Iterator<Packet> {
    coreOf(this as never)
    return new PacketIterator(this)
  }

  /**
   * Returns a lease of your own on all its packets. Their credit returns to the queue when you release it. `name` shows in
   * `stalled` events.
   */
  retain(name?: string): HeldBurst {
    const core = coreOf(this as never)
    const { slots, ids, length } = core
    const copy = slots.cores.take(length)
    for (let i = 0; i < length; i++) {
      slots.retain(ids[i])
      copy.ids[i] = ids[i]
    }
    copy.length = length
    return new HeldBurst(copy, false, name)
  }

  /** @internal */
  abstract late(): never
}

/**
 * The packets that one native call moved, borrowed: valid until the `next` that received them returns, and read-only. Use
 * `retain()` for packets that must live longer. A late use throws `ERR_VHOST_LEASE_ENDED`.
 */
export class Burst extends BurstView {
  // For the type system: a held burst can't be used as a borrowed one.
  declare private readonly lease: 'borrowed'

  /** @internal */
  late(): never {
    throw new VhostError(
      'ERR_VHOST_LEASE_ENDED',
      'the burst was borrowed, and is used after its next returned',
      {
        fix: 'retain() it and release() it, or put retain() and release() around what is asynchronous',
      },
    )
  }
}

/** A burst with one owner, who must release it. Any use after that throws `ERR_VHOST_LEASE_RELEASED`. */
export class HeldBurst extends BurstView {
  declare private readonly lease: 'held'
  #owner: { released(lease: object): void } | null = null
  /** It was released on behalf of its holder. */
  #revoked = false
  /** The core of a refillable burst, which keeps it after a release; null for other bursts. */
  readonly #home: BurstCore | null

  static {
    revoke = burst => {
      burst.release()
      burst.#revoked = true
    }
    ownBurst = (burst, owner) => {
      burst.#owner = owner
    }
    emptied = burst => {
      const core = burst.#home
      if (core === null)
        throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'this burst cannot be refilled', {
          fix: 'make it with queue.createBurst()',
        })
      if (core.length > 0) burst.release()
      return core
    }
  }

  /** @internal */
  constructor(core: BurstCore, refillable: boolean, name?: string) {
    super(core)
    this.#home = refillable ? core : null
    core.slots.holders?.set(this, name ?? 'a HeldBurst')
  }

  /** Ends the lease and returns its credit to the queue. */
  release(): void {
    if (this.#revoked) {
      this.#revoked = false
      return
    }
    const core = coreOf(this)
    const { slots, ids, length } = core
    endBorrow(this as unknown as Burst)
    slots.holders?.delete(this)
    const owner = this.#owner
    this.#owner = null
    slots.releaseAll(ids, 0, length)
    core.length = 0
    if (this.#home === null) slots.cores.give(core)
    if (owner !== null) owner.released(this)
  }

  /** Calls `release()`, for `using`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** @internal */
  late(): never {
    throw new VhostError(
      'ERR_VHOST_LEASE_RELEASED',
      this.#revoked
        ? 'the burst is used after the end of the stream that gave it'
        : 'the burst is used, or released again, after its release()',
    )
  }
}
