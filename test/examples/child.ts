// An example run as a program of its own, and what it prints.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))

export class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly #waiting: { match: RegExp; found: (line: string) => void }[] = []

  constructor(example: string, args: string[], stdio: SpawnOptions['stdio'] = ['ignore', 'pipe', 'pipe']) {
    this.process = spawn(process.execPath, [`${examples}${example}.js`, ...args], { stdio })
    for (const stream of [this.process.stdout, this.process.stderr])
      if (stream) createInterface(stream).on('line', line => this.#line(line))
  }

  /** The first line that matches, now or later. */
  line(match: RegExp): Promise<string> {
    const known = this.lines.find(line => match.test(line))
    if (known !== undefined) return Promise.resolve(known)
    return new Promise(found => this.#waiting.push({ match, found }))
  }

  /** Its exit status, once it has ended and all that it printed is here. */
  async ended(): Promise<number | null> {
    const [code] = await once(this.process, 'close')
    return code
  }

  #line(line: string): void {
    this.lines.push(line)
    for (const { match, found } of this.#waiting) if (match.test(line)) found(line)
  }
}
