// One packet on its way through processPackets, and what its work says of it. It knows neither promises nor concurrency.
import { isObservable, type Observable } from 'rxjs'
import { aim, endPacket, NO_SLOT, Packet, type Slots, slotsOf } from '../../packet.js'
import { rewriteSlot } from '../../rewriting.js'
import type { WritablePacket } from '../../writable-packet.js'

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

/** One packet on its way through; when it is through, the next one's. */
export class Job {
  slot = 0
  /** Came as a single packet, and goes on as one. */
  single = false
  /** While it is in work; then the next one's, unless it was in work for longer than a call. */
  packet: Packet | null = null
  /** Its verdict is still to come. */
  working = false
  done = false
  /** Why it does not go on. */
  dropped: string | null = null
  /** Behind it, in whatever row it stands. */
  next: Job | null = null
  /** For promises, which call one of them once. */
  readonly keep: (verdict: Verdict) => void
  readonly fail: (error: unknown) => void

  constructor(
    judge: Judge,
    public slots: Slots,
  ) {
    this.keep = verdict => judge.keep(this, verdict)
    this.fail = error => judge.fail(this, error)
  }

  /** It is in work now. */
  begin(): Packet {
    const { packet, slots, slot } = this
    if (packet !== null && slotsOf(packet) === slots) aim(packet, slot)
    else this.packet = new Packet(slots, slot)
    return this.packet as Packet
  }

  /**
   * The work is over. Work that took its time may have lost a race and still read the packet: that object is never given out
   * again, so that it can't show another packet. As a borrowed one has, what was at once has its object until the next.
   */
  end(): void {
    if (this.packet === null) return
    endPacket(this.packet)
    if (this.later || this.slots.strict) this.packet = null
  }

  /** Did its verdict not come at once? */
  later = false
}

// The verdict is here. Throws what its function throws.
export function settle(job: Job, verdict: Verdict): void {
  job.end()
  if (verdict === false) job.dropped = 'dropped'
  else if (typeof verdict === 'function' || verdict instanceof Uint8Array) {
    const slot = rewriteSlot(job.slots, job.slot, verdict)
    if (slot === NO_SLOT) job.dropped = 'no-slot'
    else {
      job.slots.release(job.slot)
      job.slot = slot
    }
  }
  job.done = true
}
