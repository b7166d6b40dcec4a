// A child process of the interop tests: its lines, its end, and the promise that it does not outlive the test. It knows
// nothing of what it runs.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The repository: this file runs as dist/test/interop/support/program.js. */
export const root = join(import.meta.dirname, '../../../..')

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface ProgramOptions {
  name?: string
  env?: NodeJS.ProcessEnv
}

const live = new Set<Program>()
process.once('exit', () => {
  for (const program of live) program.kill('SIGKILL')
})

/** Throws with what to install unless `command` can be found. */
export function needProgram(command: string, debianPackage: string): string {
  if (command.includes('/') ? existsSync(command) : spawnSync('which', [command]).status === 0) return command
  throw new Error(`${command} is missing: apt-get install ${debianPackage} (or scripts/install-interop.sh)`)
}

/** Looks again until `look` gives something. A condition that never comes is the test runner's timeout, or `limit`. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limit = 120_000,
): Promise<T> {
  for (const end = Date.now() + limit; ; ) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (Date.now() > end) throw new Error(`${what}: not within ${limit / 1000} s`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export class Program {
  readonly name: string
  readonly lines: string[] = []
  readonly exited: Promise<Exit>
  private readonly child: ChildProcess
  private ended = false

  constructor(command: string, args: string[], options: ProgramOptions = {}) {
    this.name = options.name ?? command
    // A test runner that is killed can't clean up: the kernel then ends the child (setpriv is part of util-linux).
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    live.add(this)
    for (const stream of [this.child.stdout!, this.child.stderr!]) this.collect(stream)
    this.child.stdin!.on('error', () => {}) // EPIPE, when it ended first
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        this.ended = true
        live.delete(this)
        resolve({ code, signal })
      })
    })
    this.exited.catch(() => {})
  }

  private collect(stream: NodeJS.ReadableStream): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/)
      rest = lines.pop()!
      this.lines.push(...lines)
    })
    stream.on('end', () => rest && this.lines.push(rest))
  }

  get pid(): number {
    return this.child.pid!
  }

  get running(): boolean {
    return !this.ended
  }

  write(text: string): void {
    this.child.stdin!.write(text)
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.ended && this.child.pid) this.child.kill(signal)
  }

  /** The first line from index `from` on that matches; throws when the program ends without one. */
  async line(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return until(`${this.name}: ${pattern}`, () => {
      for (const line of this.lines.slice(from)) {
        const match = line.match(pattern)
        if (match) return match
      }
      if (this.ended) throw new Error(`${this.name} ended without ${pattern}:\n${this.tail()}`)
      return undefined
    })
  }

  tail(count = 30): string {
    return this.lines.slice(-count).join('\n')
  }

  /** Asks it to end and waits; a program that ignores the signal for 20 s is killed, and that is an error. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Exit> {
    if (this.ended) return this.exited
    this.kill(signal)
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.kill('SIGKILL')
    }, 20_000)
    const exit = await this.exited
    clearTimeout(timer)
    if (late) throw new Error(`${this.name} ignored ${signal} and was killed:\n${this.tail()}`)
    return exit
  }
}
