// A child process of a bench: a C program or the Node back end. Each command is a line on its stdin, and each answer is
// a line of JSON on its stdout. All its threads are pinned to one core, and it is killed when this process ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Root of the repository; this file runs as dist/bench/support/program.js. */
export const root = join(import.meta.dirname, '../../..')

/** Maximum time for an answer, in addition to the time that the command runs. */
const ANSWER_TIMEOUT_MS = 20_000

export interface ProgramOptions {
  name: string
  core: number
  env?: NodeJS.ProcessEnv
}

export interface Usage {
  /** User and system time of all threads, in milliseconds. */
  cpuMs: number
  /** Time in which the main thread was ready to run but another thread had its core; and CPU time of the other threads
   *  of the process. */
  waitedMs: number
  ownThreadsMs: number
  /** In MiB: private and file memory, memory shared with guests, hugepages. */
  residentMiB: number
  sharedMiB: number
  hugeMiB: number
}

/** Returns how many ms a thread has run, and has waited to run; zeros for a thread that has ended. */
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
 * Sets the nice value of a session. If the kernel groups processes by session (autogroup), the nice value of a process
 * counts only within its session. Returns the previous value, or undefined without autogroup or permission.
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
// Raise the priority of this process, which sends the commands: the two programs never sleep and could starve it.
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
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>

  constructor(command: string, args: readonly string[], { name, core, env }: ProgramOptions) {
    this.name = name
    // Without permission for a higher priority, nice prints a warning and runs the program anyway.
    const before = ['--pdeathsig', 'KILL', 'nice', '-n', '-20', 'taskset', '-c', String(core)]
    this.#child = spawn('setpriv', [...before, command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: true, // creates a session, which rankSession() needs
    })
    rankSession(this.#child.pid, FIRST)
    const { stdin, stdout, stderr } = this.#child
    live.add(this.#child)
    stdin!.on('error', () => {}) // the process has ended; `ended` reports it
    stderr!.setEncoding('utf8').on('data', text => {
      this.#errors = (this.#errors + text).slice(-4000)
    })
    createInterface({ input: stdout! }).on('line', line => {
      if (!line.startsWith('{')) return // output of a library
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

  /** Sends a command and returns its answer. `ms`: expected duration of the command. */
  async ask<T = Record<string, never>>(command: string, ms = 0): Promise<T> {
    this.#child.stdin!.write(`${command}\n`)
    return this.answer<T>(ms)
  }

  /** Returns the next answer, for a command that has two answers. */
  async answer<T>(ms = 0): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const fail = (): void => reject(new Error(`${this.name} did not answer in time\n${this.#errors}`))
      timer = setTimeout(fail, ms + ANSWER_TIMEOUT_MS)
    })
    try {
      const answer = JSON.parse(await Promise.race([this.#line(), late]))
      if (answer.error) throw new Error(`${this.name}: ${answer.error}\n${this.#errors}`)
      return answer as T
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resumes the process. */
  wake(): void {
    this.#child.kill('SIGCONT')
  }

  /** Pauses the process, so that it uses no CPU. */
  rest(): void {
    this.#child.kill('SIGSTOP')
  }

  /** Returns the CPU time and memory of the process, as counted by the kernel. */
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

  /** Ends the process, also if it is paused. */
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
