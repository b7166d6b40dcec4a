// A burst as JavaScript sees it: a list of slot ids behind a handle. The list (`BurstCore`) is pooled, the handle is
// fresh, so that a late use of a borrowed burst always throws. Below every operator; it knows packets and no queue.
//
// Where a burst stops half-way (a predicate that throws, an unsubscription from inside one) the operator marks it in
// the core that the queue gave out, its *origin*; the queue keeps what nobody was given (DESIGN §5.5).
//
// Over budget (200 lines): the borrowed and the held form share private members, which only one file can.
import { VhostError } from './errors.js'
import { borrowPacket, endPacket, type Packet, SLOT_LENGTH, SLOT_WORDS, type Slots } from './packet.js'

/**
 * Packets of one burst, unless asked otherwise: few enough to stay in the cache, enough to pay for a native call and for
 * the handles. A handle is 32 bytes, and a filter needs a second: at 32 packets that alone would be 2 bytes a packet.
 */
export const BURST_PACKETS = 64

/** @internal */
export class BurstCore {
  length = 0
  /** What the queue gave out, when this is what an operator made of it. */
  origin: BurstCore | null = null
  /** In an origin: the first packet that nobody was given, or -1. */
  cut = -1
  /** In an origin: packets that an operator threw at. */
  failed = 0
  /** In strict mode: packets that were given out and end with the borrow. */
  readonly given: Packet[] = []

  constructor(
    public slots: Slots,
    readonly ids: Uint32Array,
  ) {}
}

// Cores of ended leases, for the next ones.
const spares: BurstCore[] = []
const MOST_SPARES = 64

/** @internal */
export function takeCore(slots: Slots, capacity: number): BurstCore {
  const spare = capacity <= BURST_PACKETS ? spares.pop() : undefined
  if (spare === undefined) return new BurstCore(slots, new Uint32Array(Math.max(BURST_PACKETS, capacity)))
  spare.slots = slots
  spare.origin = null
  return spare
}

/** @internal */
export function giveCore(core: BurstCore): void {
  core.length = 0
  if (core.ids.length === BURST_PACKETS && spares.length < MOST_SPARES) spares.push(core)
}

/** An operator's own core for what it makes of `input`; reuses `spare` if that is large enough. @internal */
export function coreFrom(input: BurstCore, spare: BurstCore | null): BurstCore {
  const core =
    spare !== null && spare.ids.length >= input.length ? spare : takeCore(input.slots, input.length)
  core.slots = input.slots
  core.origin = input.origin ?? input
  core.length = 0
  return core
}

/** The borrowed packet at `index`, unchecked. @internal */
export function packetAt(core: BurstCore, index: number): Packet {
  const packet = borrowPacket(core.slots, core.ids[index])
  if (core.slots.strict) core.given.push(packet)
  return packet
}

// Where packet `index` of `core` is in the burst that the queue gave out.
function originIndex(core: BurstCore, index: number): number {
  return core.origin === null ? index : core.origin.ids.indexOf(core.ids[index])
}

/** An operator threw at packet `index`: it is lost, and what follows was not given to anyone. @internal */
export function failAt(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  origin.failed++
  origin.cut = Math.max(origin.cut, originIndex(core, index) + 1)
}

/** The subscription ended before packet `index` was given to anyone. @internal */
export function cutBefore(core: BurstCore, index: number): void {
  const origin = core.origin ?? core
  if (origin.cut < 0) origin.cut = index >= core.length ? origin.length : originIndex(core, index)
}

/** Packets that an operator on single packets threw at; the queue compares it before and after. @internal */
export const packetFaults = { count: 0 }

/** A borrowed handle on `core`. @internal */
export const borrow = (core: BurstCore): Burst => new Burst(core)
/** Ends a borrow: every later use of the handle throws. @internal */
export let endBorrow: (burst: Burst) => void
/** Was it not released yet? @internal */
export let isOpen: (burst: HeldBurst) => boolean
/** The list behind a live handle; throws if it has ended. @internal */
export let coreOf: (burst: Burst | HeldBurst) => BurstCore
/** A held burst of slots whose references the caller owns and hands over. @internal */
export const adopt = (core: BurstCore, name?: string): HeldBurst => new HeldBurst(core, false, name)
/** A held burst that can be filled again and again. @internal */
export const refillable = (core: BurstCore): HeldBurst => new HeldBurst(core, true, 'createBurst')
/** Releases what is in a refillable burst and gives its core for refilling. @internal */
export let reopen: (burst: HeldBurst) => BurstCore
/** `owner` is told of the release. @internal */
export let ownBurst: (burst: HeldBurst, owner: { released(lease: object): void }) => void

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

  /** Packets in the burst. */
  get length(): number {
    return coreOf(this as never).length
  }

  /** Sum of the lengths of its packets. */
  get bytes(): number {
    const { slots, ids, length } = coreOf(this as never)
    let sum = 0
    for (let i = 0; i < length; i++) sum += slots.meta[ids[i] * SLOT_WORDS + SLOT_LENGTH]
    return sum
  }

  /** The packet at `index`, borrowed for as long as the burst. */
  packet(index: number): Packet {
    const core = coreOf(this as never)
    if (!(index >= 0 && index < core.length))
      throw new RangeError(`no packet ${index} in a burst of ${core.length}`)
    return packetAt(core, index)
  }

  [Symbol.iterator](): Iterator<Packet> {
    coreOf(this as never)
    return new BurstIterator(this)
  }

  /** A lease of your own on all its packets. Their credit returns when you release it. */
  retain(name?: string): HeldBurst {
    const core = coreOf(this as never)
    const { slots, ids, length } = core
    const copy = takeCore(slots, length)
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

// Its own result object: a loop over a burst makes one object, not one per packet.
class BurstIterator implements Iterator<Packet> {
  value!: Packet
  done = false
  #next = 0

  constructor(readonly burst: BurstView) {}

  next(): IteratorResult<Packet> {
    if (this.#next < this.burst.length) this.value = this.burst.packet(this.#next++)
    else this.done = true
    return this as IteratorResult<Packet>
  }
}

/**
 * Packets that one native call moved, borrowed: valid until the `next` that they were given to returns, and read-only.
 * `retain()` what must live longer. A late use throws `ERR_VHOST_LEASE_ENDED`.
 */
export class Burst extends BurstView {
  // Keeps a held burst from passing for a borrowed one in the type system.
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

/** A burst with one owner, who releases it. Any use after that throws `ERR_VHOST_LEASE_RELEASED`. */
export class HeldBurst extends BurstView {
  declare private readonly lease: 'held'
  #owner: { released(lease: object): void } | null = null
  /** The core of a refillable burst: it stays with it. */
  readonly #home: BurstCore | null

  static {
    ownBurst = (burst, owner) => {
      burst.#owner = owner
    }
    emptied = burst => {
      const core = burst.#home
      if (core === null)
        throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'this burst can not be refilled', {
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

  /** Gives the lease back, and its credit to the queue. */
  release(): void {
    const core = coreOf(this)
    const { slots, ids, length } = core
    endBorrow(this as unknown as Burst)
    slots.holders?.delete(this)
    const owner = this.#owner
    this.#owner = null
    slots.releaseAll(ids, 0, length)
    core.length = 0
    if (this.#home === null) giveCore(core)
    if (owner !== null) owner.released(this)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  /** @internal */
  late(): never {
    throw new VhostError(
      'ERR_VHOST_LEASE_RELEASED',
      'the burst is used, or released again, after its release()',
    )
  }
}
