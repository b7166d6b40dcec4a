// One packet in processPackets, and the verdict of its work.
import { isObservable, type Observable } from 'rxjs'
import type { BurstCore } from '../../packet/burst.js'
import { aim, endPacket, NO_SLOT, Packet, type Slots } from '../../packet/packet.js'
import { PerSlot } from '../../packet/per-slot.js'
import { rewriteSlot } from '../../packet/rewriting.js'
import type { WritablePacket } from '../../packet/writable.js'

/**
 * The result of the work on a packet. `true` or nothing: the packet is emitted as it is. `false`: it is dropped, and counted
 * as `dropped`. Bytes: a frame that is emitted instead, complete, with no offload left to do. A function: it rewrites a copy,
 * which is emitted, as with `mapPackets`.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function without a result has it
export type Verdict = boolean | void | undefined | Uint8Array | ((packet: WritablePacket) => void)

/** An asynchronous verdict. */
export type Later = PromiseLike<Verdict> | Observable<Verdict>

export const isLater = (result: Verdict | Later): result is Later =>
  isObservable(result) || typeof (result as { then?: unknown } | undefined)?.then === 'function'

/** Gets the verdict that a job waits for. */
export interface Judge {
  fulfilled(job: Job, verdict: Verdict): void
  rejected(job: Job, error: unknown): void
}

/**
 * The packet objects of work that had its verdict at once, for the next work on the same slot. An object is not in here
 * while work uses it.
 */
const idle = new PerSlot<Packet>()

/** A packet from its arrival until it is emitted. The job is then used again for another packet. */
export class Job {
  slot = 0
  /** It arrived as a single packet, and is emitted as one. */
  single = false
  /** Its burst, while that is being received: if the subscription ends now, the queue emits the packet again. */
  hand: BurstCore | null = null
  /** The object that `work` reads, until its verdict. */
  packet: Packet | null = null
  /** The verdict is still to come. */
  working = false
  /** The verdict did not come at once. */
  later = false
  done = false
  /** Its lease was released before it could be emitted. */
  released = false
  /** The reason if it is dropped. */
  dropped: string | null = null
  /** The next job of the same list. */
  next: Job | null = null
  /** The callbacks of a promise, which calls one of them once. */
  readonly fulfilled: (verdict: Verdict) => void
  readonly rejected: (error: unknown) => void
  #idle: (Packet | undefined)[]

  constructor(
    judge: Judge,
    public slots: Slots,
  ) {
    this.#idle = idle.of(slots)
    this.fulfilled = verdict => judge.fulfilled(this, verdict)
    this.rejected = error => judge.rejected(this, error)
  }

  /** Uses the job for this packet. `hand`: the burst that it arrived in, or null for a single packet. */
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

  /** Work begins: returns the object that it may read. */
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
   * The work is done. If it was done `atOnce`, its packet object is used again with the slot, as a borrowed one is. Work that
   * took longer may have lost a race and still read its object: that object is never used again, so that it can't show
   * another packet.
   */
  end(atOnce: boolean): void {
    const { packet } = this
    if (packet === null) return
    endPacket(packet)
    this.packet = null
    if (atOnce && !this.slots.strict) this.#idle[this.slot] = packet
  }

  /** Releases the lease, also while work uses the packet. */
  release(): void {
    this.working = false
    this.released = true
    this.end(false)
    this.slots.holders?.delete(this)
    this.slots.release(this.slot)
  }
}

// Does what the verdict says. Throws what its function throws.
export function applyVerdict(job: Job, verdict: Verdict): void {
  job.end(!job.later)
  if (verdict === false) job.dropped = 'dropped'
  else if (typeof verdict === 'function' || verdict instanceof Uint8Array) {
    const slot = rewriteSlot(job.slots, job.slot, verdict)
    // The function has ended the subscription.
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
