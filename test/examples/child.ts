// An example run as a program of its own, and what it prints.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))

export interface ChildOptions {
  stdio?: SpawnOptions['stdio']
  /** What runs instead, given the command that runs the example: `unshare` with that command behind it, say. */
  around?: (command: string[]) => string[]
}

export class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly #waiting: { match: RegExp; found: (line: string) => void; failed: (error: Error) => void }[] = []
  readonly #ended: Promise<number | null>
  #isOver = false

  constructor(
    readonly example: string,
    args: string[],
    { stdio = ['ignore', 'pipe', 'pipe'], around = command => command }: ChildOptions = {},
  ) {
    const [program, ...rest] = around([process.execPath, `${examples}${example}.js`, ...args])
    this.process = spawn(program, rest, { stdio })
    for (const stream of [this.process.stdout, this.process.stderr])
      if (stream) createInterface(stream).on('line', line => this.#line(line))
    this.#ended = new Promise((resolve, reject) => {
      this.process.once('error', reject)
      this.process.once('close', code => {
        this.#isOver = true
        for (const { match, failed } of this.#waiting.splice(0)) failed(this.#without(match))
        resolve(code)
      })
    })
    this.#ended.catch(error => {
      for (const { failed } of this.#waiting.splice(0)) failed(error)
    })
  }

  /** The first line that matches, now or later; rejects with all that it printed if it ends without one. */
  line(match: RegExp): Promise<string> {
    const known = this.lines.find(line => match.test(line))
    if (known !== undefined) return Promise.resolve(known)
    if (this.#isOver) return Promise.reject(this.#without(match))
    return new Promise((found, failed) => this.#waiting.push({ match, found, failed }))
  }

  /** What `work` comes to; rejects with all that it printed if it ends before. */
  during<T>(work: Promise<T>): Promise<T> {
    const failed = this.#ended.then(() => Promise.reject(new Error(this.#printed('ended too early'))))
    return Promise.race([work, failed])
  }

  /** Its exit status, once it has ended and all that it printed is here. */
  ended(): Promise<number | null> {
    return this.#ended
  }

  #without(match: RegExp): Error {
    return new Error(this.#printed(`ended without a line that matches ${match}`))
  }

  #printed(what: string): string {
    return [`${this.example} ${what}:`, ...this.lines].join('\n')
  }

  #line(line: string): void {
    this.lines.push(line)
    for (const { match, found } of this.#waiting) if (match.test(line)) found(line)
  }
}
