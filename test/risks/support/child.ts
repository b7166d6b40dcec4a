// A process of its own for what counts, or ends, a whole process. It talks in lines of its standard output, `word json`,
// and is waited for, never slept on. Ended by its id if a test leaves it running.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'

const dist = join(import.meta.dirname, '..', '..', '..')

export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
}

export class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  /** What it wrote to its standard error. */
  errors = ''
  /** Resolves when it has ended and all that it wrote was read. */
  readonly ended: Promise<Ending>
  #waiting: (() => void)[] = []
  #over = false

  constructor(
    t: ExecutionContext,
    program: string,
    args: string[],
    options: SpawnOptions & { node?: string[] },
  ) {
    const { node = [], ...rest } = options
    const env = { ...process.env, NODE_OPTIONS: '', ...rest.env }
    this.process = spawn(process.execPath, [...node, join(dist, program), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...rest,
      env,
    })
    const { process: child } = this
    createInterface({ input: child.stdout! }).on('line', line => {
      this.lines.push(line)
      this.#wake()
    })
    child.stderr!.setEncoding('utf8').on('data', text => {
      this.errors += text
    })
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        this.#over = true
        this.#wake()
        resolve({ code, signal })
      })
    })
    t.teardown(async () => {
      if (!this.#over) child.kill('SIGKILL')
      await this.ended.catch(() => {})
    })
  }

  /** What follows `word` in the first line that begins with it, `after` lines of the kind being skipped. */
  async line(word: string, after = 0): Promise<string> {
    for (;;) {
      const found = this.lines.filter(line => line === word || line.startsWith(`${word} `))[after]
      if (found !== undefined) return found.slice(word.length + 1)
      if (this.#over) throw new Error(`the program ended without "${word}":\n${this.errors}`)
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  async value<T>(word: string): Promise<T> {
    return JSON.parse(await this.line(word)) as T
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Starts `test/risks/fixtures/<name>`. */
export const fixture = (
  t: ExecutionContext,
  name: string,
  args: string[] = [],
  options: SpawnOptions & { node?: string[] } = {},
): Child => new Child(t, `test/risks/fixtures/${name}.js`, args, options)
