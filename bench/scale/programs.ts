// Controls the two processes of a measurement: the back end (back-end.ts) on one core, and its front ends
// (front-ends.cc) on the other core.
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildC } from '../support/c-program.js'
import { Program } from '../support/program.js'
import type { Look, Passed, Role } from './back-end.js'

/** Folder for sockets, in memory as /run is, so that the cost of a disk's file system is not measured. */
export const SOCKETS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export class BackEnd {
  readonly #program: Program

  constructor(role: Role) {
    // In these roles, no thread may wake up while idle. V8's memory reducer would wake up every eight seconds.
    const quiet = role === 'echo' ? [] : ['--no-memory-reducer']
    const args = ['--expose-gc', ...quiet, join(import.meta.dirname, 'back-end.js'), role]
    this.#program = new Program(process.execPath, args, { name: 'the back end', core: 0 })
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Starts drivers or servers at these paths. */
  async listen(paths: string[]): Promise<void> {
    await this.#program.ask(['listen', ...paths].join(' '))
  }

  /** Returns the resources that the process has used so far. */
  look(): Promise<Look> {
    return this.#program.ask('look')
  }

  /** Collects garbage first, then returns the same as `look()`. */
  collect(): Promise<Look> {
    return this.#program.ask('collect')
  }

  passed(): Promise<Passed> {
    return this.#program.ask('passed')
  }

  stop(): Promise<void> {
    return this.#program.stop()
  }
}

export interface Echoed {
  sent: number
  received: number
  /** Number of lost, altered or reordered frames since the front ends connected. */
  wrong: number
  seconds: number
}

export interface EchoOptions {
  /** Number of front ends to use. Default: all. */
  count?: number
  length?: number
  /** Number of frames that a front end sends per turn. */
  batch?: number
  /** Timeout in milliseconds. */
  timeout?: number
}

export class FrontEnds {
  readonly #program: Program
  #count = 0

  constructor() {
    const path = buildC({
      name: 'front-ends',
      sources: ['scale/front-ends.cc'],
      native: ['guest', 'core/base'],
    })
    this.#program = new Program(path, [], { name: 'the front ends', core: 1 })
  }

  get count(): number {
    return this.#count
  }

  /** Connects one front end per path. All are ready when the promise resolves. */
  async connect(paths: string[]): Promise<void> {
    for (const path of paths) await this.#program.ask(`connect ${path}`)
    this.#count += paths.length
  }

  /** Sends numbered frames from `count` front ends in turn, and checks every byte of the echo. Throws on any error. */
  async echo(packets: number, options: EchoOptions = {}): Promise<Echoed> {
    const { count = this.#count, length = 64, batch = 32, timeout = 60_000 } = options
    const echoed = await this.#program.ask<Echoed>(`echo 0 ${count} ${length} ${packets} ${batch}`, timeout)
    const { sent, received, wrong } = echoed
    if (received !== packets || wrong > 0)
      throw new Error(
        `of ${packets} packets, ${sent} were sent, ${received} were received, ${wrong} are wrong`,
      )
    return echoed
  }

  stop(): Promise<void> {
    return this.#program.stop()
  }
}

/** Runs `work` with a back end and its front ends, and ends both processes after it. */
export async function withBoth<T>(
  role: Role,
  work: (backEnd: BackEnd, frontEnds: FrontEnds) => Promise<T>,
): Promise<T> {
  const frontEnds = new FrontEnds()
  const backEnd = new BackEnd(role)
  try {
    return await work(backEnd, frontEnds)
  } finally {
    await Promise.all([backEnd.stop(), frontEnds.stop()])
  }
}
