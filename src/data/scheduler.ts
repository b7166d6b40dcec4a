// One scheduler per env: who is ready gets visits in turn (deficit round robin), within one budget per turn of the
// event loop over all devices, subscribers' time included; what is left goes on after timers and sockets had their
// turn (setImmediate). A kick only makes its queue ready: nothing ever runs in the caller of ready(). It knows no
// packets and no rings.

/** A visit moves at most this many packets; one that the clock cut short may move the rest in its next. */
export const VISIT_PACKETS = 256
/** Time per turn, over all queues. A subscriber that is slower than this costs one burst a turn. */
export const TURN_MS = 1

/** There is nothing to do until the task is made ready again. */
export const LEAVE = 0
/** Look again in a later turn: nothing is there yet. */
export const LATER = 1
/** There is more to do now, if there is time. */
export const MORE_NOW = 2
export type Visit = typeof LEAVE | typeof LATER | typeof MORE_NOW

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
}

export class Scheduler {
  readonly now: () => number
  /** Turns so far: the breaths that the rest of the process got. */
  turns = 0
  readonly #defer: (run: () => void) => void
  readonly #turn = (): void => this.#run()
  // Lists with a count of their own: an array whose length is set to 0 gives its memory up, each turn.
  #ready: (Task | undefined)[] = []
  #count = 0
  #visiting: (Task | undefined)[] = []
  #scheduled = false
  #deadline = 0

  constructor({ now = () => performance.now(), defer = setImmediate }: SchedulerOptions = {}) {
    this.now = now
    this.#defer = defer
  }

  /** Visits the task in a later turn. */
  ready(task: Task): void {
    if (task.queued) return
    task.queued = true
    this.#ready[this.#count++] = task
    if (this.#scheduled) return
    this.#scheduled = true
    this.#defer(this.#turn)
  }

  /** Is this turn's time used up? */
  expired(): boolean {
    return this.now() >= this.#deadline
  }

  #run(): void {
    this.#scheduled = false
    this.turns++
    this.#deadline = this.now() + TURN_MS
    const visiting = this.#ready
    let count = this.#count
    this.#ready = this.#visiting
    this.#count = 0
    this.#visiting = visiting
    let next = 0
    do {
      const task = visiting[next] as Task
      visiting[next++] = undefined
      task.queued = false
      task.deficit = Math.min(task.deficit + VISIT_PACKETS, 2 * VISIT_PACKETS)
      const visit = task.serve()
      if (visit !== MORE_NOW) task.deficit = 0
      if (visit === LATER) this.ready(task)
      else if (visit === MORE_NOW && !task.queued) {
        task.queued = true
        visiting[count++] = task
      }
    } while (next < count && !this.expired())
    if (next < count) this.#keep(visiting, next, count)
  }

  // Who had no visit goes first in the next turn.
  #keep(visiting: (Task | undefined)[], from: number, to: number): void {
    const ready = this.#ready
    const kept = to - from
    for (let i = this.#count - 1; i >= 0; i--) ready[i + kept] = ready[i]
    for (let i = 0; i < kept; i++) {
      ready[i] = visiting[from + i]
      visiting[from + i] = undefined
    }
    this.#count += kept
    if (this.#scheduled) return
    this.#scheduled = true
    this.#defer(this.#turn)
  }
}
