// One scheduler per env: who is ready gets visits in turn (deficit round robin), within one budget per turn of the
// event loop over all devices, subscribers' time included; what is left goes on after timers and sockets had their
// turn (setImmediate). A kick only makes its queue ready: nothing ever runs in the caller of ready(). It knows no
// packets and no rings.
import { TaskFifo } from './task-fifo.js'

/** A visit moves at most this many packets; one that the clock cut short may move the rest in its next. */
export const VISIT_PACKETS = 256
/** Time per turn, over all queues. A subscriber that is slower than this costs one burst a turn. */
export const TURN_MS = 1
/** A turn in which nobody finds anything ends after this: long enough for an answer that is on its way. */
export const SPIN_MS = 0.1
/** Visits in vain between two looks at the clock, which cost as much as such a visit. */
const SPINS_A_LOOK = 8

/** There is nothing to do until the task is made ready again. */
export const LEAVE = 0
/** Look again in a later turn: nothing is there yet. */
export const LATER = 1
/** There is more to do now, if there is time. */
export const MORE_NOW = 2
/** Nothing is there yet: look again in this turn, while there is time and nobody waits for the next one. */
export const SPIN = 3
export type Visit = typeof LEAVE | typeof LATER | typeof MORE_NOW | typeof SPIN

export interface Task {
  /** In the scheduler's lists; the scheduler's own business. */
  queued: boolean
  /** Packets that it may still move in this visit; the task counts it down. */
  deficit: number
  /** Works until there is nothing to do, its deficit is used up, or the time is (`expired`). It must not throw. */
  serve(): Visit
}

export interface SchedulerOptions {
  /** Milliseconds that only rise. */
  now?: () => number
  /** Runs something, always the same, in a later turn of the event loop. */
  defer?: (run: () => void) => void
  /** May a turn go on when all that is left are tasks that spin? Not where time stands still within a turn. */
  spin?: boolean
}

export class Scheduler {
  readonly now: () => number
  /** Turns so far: the breaths that the rest of the process got. */
  turns = 0
  readonly #defer: (run: () => void) => void
  readonly #spin: boolean
  readonly #turn = (): void => this.#run()
  #ready = new TaskFifo()
  #visiting = new TaskFifo()
  #scheduled = false
  #running = false
  #deadline = 0
  /** What the clock said when this turn last looked. */
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

  /** Does nobody else wait for a visit? Who is visited may then wait a little in its place. */
  get alone(): boolean {
    return this.#visiting.length === 0 && this.#ready.length === 0
  }

  /** Is this turn's time used up? */
  expired(): boolean {
    this.#clock[0] = this.now()
    return this.#clock[0] >= this.#deadline
  }

  /**
   * The time, as its only element, for what need not be exact to the burst: within a turn that of its last look at the
   * clock, which is free. An array, since a double that is handed on may be an object for each burst.
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
      // A round in which nobody found anything. It goes on for a packet that is about to come, but not while others
      // wait for the next turn.
      if (!this.#spin || this.#ready.length > 0) break
      if (spinning === visiting.length) spinUntil = Math.min(this.now() + SPIN_MS, this.#deadline)
      else if (spinning % SPINS_A_LOOK === 0 && this.now() >= spinUntil) break
    } while (visiting.length > 0)
    this.#running = false
    if (visiting.length === 0) return
    // Who had no visit goes first in the next turn.
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
