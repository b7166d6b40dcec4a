// A child process that is told what to do in lines on its stdin and answers each with a line of JSON on its stdout: the
// C programs and the Node back end of the benches alike. It is pinned to one core with all its threads, and does not
// outlive us.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The repository: this file runs as dist/bench/support/program.js. */
export const root = join(import.meta.dirname, '../../..')

/** How long an answer may take, beyond what a command was asked to run for. */
const PATIENCE_MS = 20_000

export interface ProgramOptions {
  name: string
  core: number
  env?: NodeJS.ProcessEnv
}

export interface Usage {
  /** User and system time of all threads, in milliseconds. */
  cpuMs: number
  /** For how long the main thread was ready to run, and another one had its core; and what those of its own had. */
  waitedMs: number
  ownThreadsMs: number
  /** In MiB: private and file memory, what is shared with a guest, hugepages. */
  residentMiB: number
  sharedMiB: number
  hugeMiB: number
}

/** Milliseconds that a thread has run, and waited to run. One that has just ended counts as nothing. */
function schedule(path: string): number[] {
  try {
    return readFileSync(path, 'utf8')
      .split(' ')
      .map(text => Number(text) / 1e6)
  } catch {
    return [0, 0]
  }
}

/**
 * Where the kernel groups processes by session, nice counts within a session only, and this between sessions. Gives what
 * was before; undefined where nothing is grouped, or it is not for us to say.
 */
function rankSession(pid: number | undefined, nice: string): string | undefined {
  const path = `/proc/${pid}/autogroup`
  try {
    const before = /nice (-?\d+)/.exec(readFileSync(path, 'utf8'))?.[1]
    writeFileSync(path, nice)
    return before
  } catch {
    return undefined
  }
}

const FIRST = '-20'
// Who gives the commands must not starve behind two programs that never sleep.
const rankBefore = rankSession(process.pid, FIRST)
if (rankBefore !== undefined) process.once('exit', () => void rankSession(process.pid, rankBefore))

const live = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of live) child.kill('SIGKILL')
})

export class Program {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = []
  readonly #lines: string[] = []
  #errors = ''
  #ended = false
  /** Resolves when it has ended. */
  readonly ended: Promise<void>

  constructor(command: string, args: readonly string[], { name, core, env }: ProgramOptions) {
    this.name = name
    // Not preferred over others, where we may not: nice says so and goes on.
    const before = ['--pdeathsig', 'KILL', 'nice', '-n', '-20', 'taskset', '-c', String(core)]
    this.#child = spawn('setpriv', [...before, command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: true, // a session of its own, for what is next
    })
    rankSession(this.#child.pid, FIRST)
    const { stdin, stdout, stderr } = this.#child
    live.add(this.#child)
    stdin!.on('error', () => {}) // it ended first, which `ended` tells
    stderr!.setEncoding('utf8').on('data', text => {
      this.#errors = (this.#errors + text).slice(-4000)
    })
    createInterface({ input: stdout! }).on('line', line => {
      if (!line.startsWith('{')) return // what a library prints
      const first = this.#waiting.shift()
      if (first) first.resolve(line)
      else this.#lines.push(line)
    })
    this.ended = new Promise(resolve => {
      const end = (): void => {
        this.#ended = true
        live.delete(this.#child)
        for (const { reject } of this.#waiting.splice(0)) reject(this.#gone())
        resolve()
      }
      this.#child.once('close', end)
      this.#child.once('error', end)
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Sends a command and gives its answer. `ms`: how long the work that it asks for takes. */
  async ask<T = Record<string, never>>(command: string, ms = 0): Promise<T> {
    this.#child.stdin!.write(`${command}\n`)
    return this.answer<T>(ms)
  }

  /** The next answer: for a command that answers twice. */
  async answer<T>(ms = 0): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const fail = (): void => reject(new Error(`${this.name} did not answer in time\n${this.#errors}`))
      timer = setTimeout(fail, ms + PATIENCE_MS)
    })
    try {
      const answer = JSON.parse(await Promise.race([this.#line(), late]))
      if (answer.error) throw new Error(`${this.name}: ${answer.error}\n${this.#errors}`)
      return answer as T
    } finally {
      clearTimeout(timer)
    }
  }

  /** It runs on. */
  wake(): void {
    this.#child.kill('SIGCONT')
  }

  /** It stands still, as if it were not there. */
  rest(): void {
    this.#child.kill('SIGSTOP')
  }

  /** CPU and memory so far, as the kernel counts them. */
  usage(): Usage {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const mebibytes = (name: string): number =>
      Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0) / 1024
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
      waitedMs: schedule(`/proc/${this.pid}/schedstat`)[1],
      ownThreadsMs: readdirSync(`/proc/${this.pid}/task`)
        .filter(thread => Number(thread) !== this.pid)
        .reduce((sum, thread) => sum + schedule(`/proc/${this.pid}/task/${thread}/schedstat`)[0], 0),
      residentMiB: mebibytes('RssAnon') + mebibytes('RssFile'),
      sharedMiB: mebibytes('RssShmem'),
      hugeMiB: mebibytes('HugetlbPages'),
    }
  }

  /** Ends it, whether it stands still or not. */
  async stop(): Promise<void> {
    if (this.#ended) return
    this.wake()
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
    await this.ended
    clearTimeout(timer)
  }

  #line(): Promise<string> {
    const line = this.#lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#ended) return Promise.reject(this.#gone())
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #gone(): Error {
    return new Error(`${this.name} has ended\n${this.#errors}`)
  }
}
