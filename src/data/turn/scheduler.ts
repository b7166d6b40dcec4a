// The scheduler of one env. Tasks that are ready get visits in turn (deficit round robin), within one time budget per turn
// of the event loop: over all devices, the time of subscribers included. What is left goes on by setImmediate, after timers
// and sockets had their turn. ready() only lists a task: nothing runs inside its caller.
import { Fifo } from './fifo.js'

/** Packets that one visit may move. A visit that the clock cut short leaves its rest to the next visit of that task. */
export const VISIT_PACKETS = 256
/** Milliseconds per turn, over all queues. A subscriber that takes longer than this for a burst gets one burst a turn. */
export const TURN_MS = 1
/** Milliseconds that a turn spins while no task finds work: long enough for an answer that is on its way. */
export const SPIN_MS = 0.1
/** Fruitless visits between two readings of the clock: a reading costs as much as such a visit. */
const SPINS_A_LOOK = 8

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
  /** The task is in one of the scheduler's lists. Only the scheduler writes it. */
  queued: boolean
  /** Packets that the task may still move in this visit. The task counts it down. */
  deficit: number
  /** Works until there is nothing to do, the deficit is used up, or the turn's time is (`expired`). Must not throw. */
  serve(): Visit
}

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
  #ready = new Fifo<Task>()
  #visiting = new Fifo<Task>()
  #scheduled = false
  #running = false
  #deadline = 0
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
    this.#ready.push(task)
    this.#schedule()
  }

  /** Whether no other task waits for a visit. The visited task may then spin for a moment by itself. */
  get alone(): boolean {
    return this.#visiting.length === 0 && this.#ready.length === 0
  }

  /** Whether the time of this turn is used up. */
  expired(): boolean {
    this.#clock[0] = this.now()
    return this.#clock[0] >= this.#deadline
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
    this.#deadline = this.#clock[0] + TURN_MS
    const visiting = this.#ready
    this.#ready = this.#visiting
    this.#visiting = visiting
    let spinning = 0
    let spinUntil = 0
    do {
      const task = visiting.shift()
      task.queued = false
      task.deficit = Math.min(task.deficit + VISIT_PACKETS, 2 * VISIT_PACKETS)
      const visit = task.serve()
      if (visit !== MORE_NOW) task.deficit = 0
      spinning = visit === SPIN ? spinning + 1 : 0
      if (visit === LATER) this.ready(task)
      else if (visit !== LEAVE && !task.queued) {
        task.queued = true
        visiting.push(task)
      }
      if (spinning === 0) {
        if (this.expired()) break
        continue
      }
      if (spinning < visiting.length) continue
      // No task of this round found work. Spin for a packet that is about to arrive, but not while tasks wait for the
      // next turn.
      if (!this.#spin || this.#ready.length > 0) break
      if (spinning === visiting.length) spinUntil = Math.min(this.now() + SPIN_MS, this.#deadline)
      else if (spinning % SPINS_A_LOOK === 0 && this.now() >= spinUntil) break
    } while (visiting.length > 0)
    this.#running = false
    if (visiting.length === 0) return
    // Tasks that had no visit go first in the next turn.
    while (this.#ready.length > 0) visiting.push(this.#ready.shift())
    this.#visiting = this.#ready
    this.#ready = visiting
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#defer(this.#turn)
  }
}
