// First in, first out: tasks that wait for a visit. A growing ring that keeps its memory: an array whose length is set
// to 0, or that is shifted, gives it up and takes it again each turn.
import type { Task } from './scheduler.js'

const FIRST_SIZE = 16

export class TaskFifo {
  #tasks: (Task | null)[] = new Array(FIRST_SIZE).fill(null)
  #head = 0
  length = 0

  push(task: Task): void {
    if (this.length === this.#tasks.length) this.#grow()
    this.#tasks[(this.#head + this.length++) & (this.#tasks.length - 1)] = task
  }

  /** The oldest. There must be one. */
  shift(): Task {
    const task = this.#tasks[this.#head] as Task
    this.#tasks[this.#head] = null
    this.#head = (this.#head + 1) & (this.#tasks.length - 1)
    this.length--
    return task
  }

  #grow(): void {
    const tasks = this.#tasks
    this.#tasks = [
      ...tasks.slice(this.#head),
      ...tasks.slice(0, this.#head),
      ...new Array(tasks.length).fill(null),
    ]
    this.#head = 0
  }
}
