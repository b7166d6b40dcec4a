// Front ends in processes of their own, to be killed: made by victims.c.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { compiled, plainEnv } from './programs.js'

/** What a victim does once its device runs. */
export type Doing = 'nothing' | 'sending' | 'receiving'
const letters = { nothing: 'n', sending: 's', receiving: 'r' }

export class Victims {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor() {
    this.#process = spawn(compiled('victims'), { stdio: ['pipe', 'pipe', 'inherit'], env: plainEnv })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  /** The pid of a front end that is on its way to a running device. */
  async next(doing: Doing, path: string): Promise<number> {
    this.#process.stdin.write(`${letters[doing]}${path}\n`)
    const { value } = await this.#lines.next()
    if (!/^[0-9]+$/.test(value)) throw new Error(`the front end: ${value ?? 'ended'}`)
    return Number(value)
  }

  /** Ends the process that makes them; throws if one of them had failed. */
  async close(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.stdin.end()
    await ended
    const { value, done } = await this.#lines.next()
    if (!done) throw new Error(`a front end: ${value}`)
  }
}
