// One packet on its way through processPackets, and what its work says of it. It knows neither promises nor concurrency.
import { isObservable, type Observable } from 'rxjs'
import type { BurstCore } from '../../packet/burst.js'
import { aim, endPacket, NO_SLOT, Packet, type Slots } from '../../packet/packet.js'
import { PerSlot } from '../../packet/per-slot.js'
import { rewriteSlot } from '../../packet/rewriting.js'
import type { WritablePacket } from '../../packet/writable.js'

/**
 * What became of a packet. `true` or nothing: it goes on as it is. `false`: it is dropped, counted as `dropped`. Bytes:
 * a frame that goes on instead of it, complete, with no offload left to do. A function: goes on as a copy which that
 * rewrites, as with `mapPackets`.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function without a result has it
export type Verdict = boolean | void | undefined | Uint8Array | ((packet: WritablePacket) => void)

/** A verdict to come. */
export type Later = PromiseLike<Verdict> | Observable<Verdict>

export const isLater = (result: Verdict | Later): result is Later =>
  isObservable(result) || typeof (result as { then?: unknown } | undefined)?.then === 'function'

/** Told of the verdict that a job waits for. */
export interface Judge {
  keep(job: Job, verdict: Verdict): void
  fail(job: Job, error: unknown): void
}

/**
 * The packets of work that had its verdict at once, for the next work on the same slot. One that is in work is not here:
 * nobody else is given it.
 */
const idle = new PerSlot<Packet>()

/** One packet on its way through; when it is through, the next one's. */
export class Job {
  slot = 0
  /** Came as a single packet, and goes on as one. */
  single = false
  /** The burst that it came in, while that is in hand: its queue gives it out again if the subscription ends now. */
  hand: BurstCore | null = null
  /** While it is in work. */
  packet: Packet | null = null
  /** Its verdict is still to come. */
  working = false
  /** Did its verdict not come at once? */
  later = false
  done = false
  /** Its lease is given back, before it was through. It is nobody's any more. */
  released = false
  /** Why it does not go on. */
  dropped: string | null = null
  /** Behind it, in whatever row it stands. */
  next: Job | null = null
  /** For promises, which call one of them once. */
  readonly keep: (verdict: Verdict) => void
  readonly fail: (error: unknown) => void
  #idle: (Packet | undefined)[]

  constructor(
    judge: Judge,
    public slots: Slots,
  ) {
    this.#idle = idle.of(slots)
    this.keep = verdict => judge.keep(this, verdict)
    this.fail = error => judge.fail(this, error)
  }

  /** It is this packet's now. `hand`: the burst that it came in, or null for a single packet. */
  carry(slots: Slots, slot: number, hand: BurstCore | null): void {
    if (slots !== this.slots) {
      this.slots = slots
      this.#idle = idle.of(slots)
    }
    this.slot = slot
    this.hand = hand
    this.single = hand === null
    this.done = this.later = false
    this.dropped = null
  }

  /** It is in work now. */
  begin(): Packet {
    const { slots, slot } = this
    const packet = slots.strict ? undefined : this.#idle[slot]
    if (packet === undefined) this.packet = new Packet(slots, slot)
    else {
      this.#idle[slot] = undefined
      aim(packet, slot)
      this.packet = packet
    }
    return this.packet as Packet
  }

  /**
   * The work is over. If it was over `atOnce`, its packet goes with the slot, as a borrowed one does. Other work may have
   * lost a race and still read its packet: that object is never given out again, so that it can't show another packet.
   */
  end(atOnce: boolean): void {
    const { packet } = this
    if (packet === null) return
    endPacket(packet)
    this.packet = null
    if (atOnce && !this.slots.strict) this.#idle[this.slot] = packet
  }

  /** Its lease is given back, whatever its work is at. */
  release(): void {
    this.working = false
    this.released = true
    this.end(false)
    this.slots.holders?.delete(this)
    this.slots.release(this.slot)
  }
}

// The verdict is here. Throws what its function throws.
export function settle(job: Job, verdict: Verdict): void {
  job.end(!job.later)
  if (verdict === false) job.dropped = 'dropped'
  else if (typeof verdict === 'function' || verdict instanceof Uint8Array) {
    const slot = rewriteSlot(job.slots, job.slot, verdict)
    // The function ended the subscription.
    if (job.released) {
      if (slot !== NO_SLOT) job.slots.release(slot)
      return
    }
    if (slot === NO_SLOT) job.dropped = 'no-slot'
    else {
      job.slots.release(job.slot)
      job.slot = slot
    }
  }
  job.done = true
}
