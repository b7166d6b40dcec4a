// The scheduler of one env. Each device has a share of its time (task.ts): shares that have something to do are served in
// turn, by deficit round robin in milliseconds, and so are the tasks of one share, in packets. Everything runs within one
// time budget per turn of the event loop, the time of subscribers included. Unfinished work goes on by setImmediate, after
// timers and sockets had their turn. ready() only lists a task: nothing runs inside its caller.
import { Fifo } from './fifo.js'
import { LATER, LEAVE, MORE_NOW, type Share, SPIN, type Task, type Visit } from './task.js'

/** Packets that one visit may move. A visit that the clock cut short leaves its rest to the next visit of that task. */
export const VISIT_PACKETS = 256
/** Milliseconds per turn, over all queues. A subscriber that takes longer than this for a burst gets one burst a turn. */
export const TURN_MS = 1
/** Milliseconds that a turn spins while no task finds work: long enough for an answer that is on its way. */
export const SPIN_MS = 0.1
/**
 * The least that a visit is charged, in milliseconds: the work around a visit that finds nothing. Where the clock stands
 * still, as in a test, it also ends the round of a share.
 */
const VISIT_MS = 0.002
/** Fruitless visits between two readings of the clock: a reading costs as much as such a visit. */
const SPINS_A_LOOK = 8

export interface SchedulerOptions {
  /** A monotonic clock, in milliseconds. */
  now?: () => number
  /** Runs `run` in a later turn of the event loop. It is the same function in every call. */
  defer?: (run: () => void) => void
  /** Whether a turn may spin. False where the clock stands still within a turn, as in a test. Default true. */
  spin?: boolean
}

export class Scheduler {
  readonly now: () => number
  /** Turns so far. Between two turns the rest of the process runs. */
  turns = 0
  readonly #defer: (run: () => void) => void
  readonly #spin: boolean
  readonly #turn = (): void => this.#run()
  /** Shares with tasks for this turn, and those with tasks for the next. */
  readonly #active = new Fifo<Share>()
  readonly #next = new Fifo<Share>()
  /** Tasks of all shares, for this turn and for the next. */
  #visiting = 0
  #ready = 0
  #scheduled = false
  #running = false
  /** When this turn ends, and when the time of the share in hand does. */
  #deadline = 0
  #until = 0
  /** Time up to which shares were charged. */
  #chargedUntil = 0
  /** Visits in a row that found no work, and when the turn gives up after them. */
  #idleVisits = 0
  #spinUntil = 0
  /** The last reading of the clock. */
  readonly #clock = new Float64Array(1)

  constructor({ now = () => performance.now(), defer = setImmediate, spin = true }: SchedulerOptions = {}) {
    this.now = now
    this.#defer = defer
    this.#spin = spin
  }

  /** Visits the task in a later turn. */
  ready(task: Task): void {
    if (task.queued) return
    task.queued = true
    const { share } = task
    share.ready.push(task)
    this.#ready++
    if (!share.inNext) {
      share.inNext = true
      this.#next.push(share)
    }
    this.#schedule()
  }

  /** Whether no other task waits for a visit. The visited task may then spin for a moment by itself. */
  get alone(): boolean {
    return this.#visiting === 0 && this.#ready === 0
  }

  /** Whether the time of the visited task is used up: that of its share, or that of the turn. */
  expired(): boolean {
    this.#clock[0] = this.now()
    return this.#clock[0] >= this.#until
  }

  /** The visited task did this much work for another share, which pays for it. */
  workedFor(share: Share, ms: number): void {
    share.owed += ms
    this.#chargedUntil += ms
  }

  /**
   * The time in milliseconds, as the only element of an array. Within a turn it is the last reading of the clock, which
   * costs nothing and is exact enough for statistics. An array, since V8 may allocate an object for each double that is
   * passed on.
   */
  get clock(): Float64Array {
    if (!this.#running) this.#clock[0] = this.now()
    return this.#clock
  }

  #run(): void {
    this.#scheduled = false
    this.#running = true
    this.turns++
    this.#clock[0] = this.now()
    this.#chargedUntil = this.#clock[0]
    this.#deadline = this.#chargedUntil + TURN_MS
    this.#begin()
    this.#idleVisits = 0
    while (this.#visiting > 0 && this.#chargedUntil < this.#deadline) {
      const share = this.#active.shift()
      share.earn()
      const goOn = this.#serve(share)
      if (share.visiting.length > 0) this.#active.push(share)
      else share.inTurn = false
      if (!goOn) break
    }
    this.#running = false
    if (this.#visiting > 0) this.#schedule()
  }

  /** Tasks that became ready since the last turn began are for this one. */
  #begin(): void {
    while (this.#next.length > 0) {
      const share = this.#next.shift()
      share.inNext = false
      share.begin()
      if (share.inTurn) continue
      share.inTurn = true
      this.#active.push(share)
    }
    this.#visiting += this.#ready
    this.#ready = 0
  }

  /** The round of one share; false: the turn is over, since no task has work. */
  #serve(share: Share): boolean {
    const { visiting } = share
    let fruitless = 0
    while (visiting.length > 0 && share.credit > 0) {
      // A share without competitors needs no end of its round.
      const end = this.#active.length === 0 ? this.#deadline : this.#chargedUntil + share.credit
      this.#until = Math.min(this.#deadline, end)
      if (this.#visit(visiting.shift(), share) === SPIN) {
        if (!this.#spins()) return false
        // Its other tasks may have work, or else other shares.
        if (++fruitless < visiting.length) continue
        if (this.#active.length > 0) this.#charge(share, 0)
        return true
      }
      this.#idleVisits = fruitless = 0
      this.#charge(share, VISIT_MS)
      if (this.#chargedUntil >= this.#deadline) return true
    }
    return true
  }

  /** Charges the time since the last charge, `least` at least: a visit may have read the clock since. */
  #charge(share: Share, least: number): void {
    const now = this.now()
    this.#clock[0] = now
    share.charge(Math.max(now - this.#chargedUntil, least))
    this.#chargedUntil = now
  }

  #visit(task: Task, share: Share): Visit {
    this.#visiting--
    task.queued = false
    task.deficit = Math.min(task.deficit + VISIT_PACKETS, 2 * VISIT_PACKETS)
    const visit = task.serve()
    if (visit !== MORE_NOW) task.deficit = 0
    if (visit === LATER) this.ready(task)
    else if (visit !== LEAVE && !task.queued) {
      task.queued = true
      share.visiting.push(task)
      this.#visiting++
    }
    return visit
  }

  /** A visit found no work. Whether to go on: other tasks may have some, or a packet may be about to arrive. */
  #spins(): boolean {
    const visits = ++this.#idleVisits
    if (visits < this.#visiting) return true
    // No task of this turn found work. Do not spin while tasks wait for the next turn.
    if (!this.#spin || this.#ready > 0) return false
    if (visits === this.#visiting) this.#spinUntil = Math.min(this.now() + SPIN_MS, this.#deadline)
    else if (visits % SPINS_A_LOOK === 0 && this.now() >= this.#spinUntil) return false
    return true
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#defer(this.#turn)
  }
}
