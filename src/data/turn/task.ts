// What the scheduler (scheduler.ts) serves: tasks, which are queues with something to do, and the shares to which they
// belong. A share is the part of the thread's time that one device gets. The scheduler serves shares in turn, and each
// of them pays for the time of its own tasks. A device with 128 pairs, or one whose packets cost a lot, therefore takes
// no time from other devices.
import { Fifo } from './fifo.js'

/**
 * Milliseconds that a share of weight 1 earns per round: time for some hundred packets, and short for the waiting
 * shares.
 */
export const QUANTUM_MS = 0.05
/**
 * The largest debt, in milliseconds. Only a subscriber that blocks the thread runs into a larger one. Without this
 * limit, the queues of its device would wait for as long as it blocked.
 */
const MOST_DEBT_MS = 10

/** Nothing to do until ready() is called for the task again. */
export const LEAVE = 0
/** Nothing to do yet: visit again in a later turn. */
export const LATER = 1
/** More to do: visit again in this turn if there is time. */
export const MORE_NOW = 2
/** Nothing to do yet: visit again in this turn, while there is time and no task waits for the next turn. */
export const SPIN = 3
export type Visit = typeof LEAVE | typeof LATER | typeof MORE_NOW | typeof SPIN

export interface Task {
  /** The share of the device whose time the task uses. */
  readonly share: Share
  /** The task is in one of the scheduler's lists. Only the scheduler writes it. */
  queued: boolean
  /** Packets that the task may still move in this visit. The task counts it down. */
  deficit: number
  /** Works until there is nothing to do, the deficit is used up, or the turn's time is (`expired`). Must not throw. */
  serve(): Visit
}

export class Share {
  /** Milliseconds per round, in proportion to those of other shares. */
  readonly quantum: number
  /**
   * Milliseconds that the share may still use in this round. Negative: its queues used more than that, and they wait.
   */
  credit: number
  /** Milliseconds of work for the device's rings in visits of other shares, for which the share has not paid yet. */
  owed = 0
  /** Tasks to visit in this turn. */
  visiting = new Fifo<Task>()
  /** Tasks to visit in the next turn. */
  ready = new Fifo<Task>()
  /** The share is in the scheduler's list of this turn, and in that of the next. Only the scheduler writes these. */
  inTurn = false
  inNext = false

  /** `weight`: the proportion of time that the share gets while other shares have work, too. */
  constructor(weight = 1) {
    this.quantum = QUANTUM_MS * weight
    this.credit = this.quantum
  }

  /** Charges `ms` milliseconds. */
  charge(ms: number): void {
    this.credit = Math.max(this.credit - ms, -MOST_DEBT_MS)
  }

  /** True if the share owes so much that its rings must wait for a visit of their own, in which it pays. */
  get mustPay(): boolean {
    return this.owed > this.quantum
  }

  pay(): void {
    this.charge(this.owed)
    this.owed = 0
  }

  /** Begins a round: the share earns its quantum, which first pays off a debt. Unused time is lost. */
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
