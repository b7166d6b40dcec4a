// The part of the data plane's time that one device gets. The scheduler (scheduler.ts) serves shares in turn, and each of
// them pays for the time of its own queues. A device with 128 pairs, or one whose packets cost a lot, therefore takes no
// time from other devices.
import { Fifo } from './fifo.js'
import type { Task } from './scheduler.js'

/** Milliseconds that a share of weight 1 earns per round: time for some hundred packets, and short for those who wait. */
export const QUANTUM_MS = 0.05
/**
 * The largest debt, in milliseconds. Only a subscriber that blocks the thread runs into a larger one. Without this limit, the
 * queues of its device would wait for as long as it blocked.
 */
const MOST_DEBT_MS = 10

export class Share {
  /** Milliseconds per round, in proportion to those of other shares. */
  readonly quantum: number
  /** Milliseconds that the share may still use in this round. Negative: its queues used more than that, and they wait. */
  credit: number
  /** Milliseconds of work for the device's rings in visits of others, for which it has not paid yet. */
  owed = 0
  /** Tasks to visit in this turn. */
  visiting = new Fifo<Task>()
  /** Tasks to visit in the next turn. */
  ready = new Fifo<Task>()
  /** The share is in the scheduler's list of this turn, and in that of the next. Only the scheduler writes these. */
  inTurn = false
  inNext = false

  /** `weight`: how much time the share gets when others want theirs too, relative to their weights. */
  constructor(weight = 1) {
    this.quantum = QUANTUM_MS * weight
    this.credit = this.quantum
  }

  /** Charges `ms` milliseconds. */
  charge(ms: number): void {
    this.credit = Math.max(this.credit - ms, -MOST_DEBT_MS)
  }

  /** It owes so much that its rings must wait for a visit of their own, in which it pays. */
  get mustPay(): boolean {
    return this.owed > this.quantum
  }

  pay(): void {
    this.charge(this.owed)
    this.owed = 0
  }

  /** A new round: a debt is paid off, and unused time is lost. */
  earn(): void {
    this.credit = Math.min(this.credit + this.quantum, this.quantum)
  }

  /** The tasks of the next turn join those of this one, behind tasks that the last turn did not reach. */
  begin(): void {
    if (this.visiting.length === 0) {
      const empty = this.visiting
      this.visiting = this.ready
      this.ready = empty
    }
    while (this.ready.length > 0) this.visiting.push(this.ready.shift())
  }
}
