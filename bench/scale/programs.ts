// The two processes of a measurement as their parent holds them: the back end (back-end.ts) on one core, and its front
// ends (front-ends.cc) on the other.
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildC } from '../support/c-program.js'
import { Program } from '../support/program.js'
import type { Look, Passed, Role } from './back-end.js'

/** Where sockets are made: in memory, as /run is. What a disk's file system costs is no part of this. */
export const SOCKETS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export class BackEnd {
  readonly #program: Program

  constructor(role: Role) {
    // Where no switch at all is allowed, V8 must not look every eight seconds for what it may collect.
    const quiet = role === 'echo' ? [] : ['--no-memory-reducer']
    const args = ['--expose-gc', ...quiet, join(import.meta.dirname, 'back-end.js'), role]
    this.#program = new Program(process.execPath, args, { name: 'the back end', core: 0 })
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Drivers, or servers, at these paths. */
  async listen(paths: string[]): Promise<void> {
    await this.#program.ask(['listen', ...paths].join(' '))
  }

  /** What it has used and done so far. */
  look(): Promise<Look> {
    return this.#program.ask('look')
  }

  /** The same, after a collection. */
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
  /** Frames that were lost, altered or out of order, since the front ends connected. */
  wrong: number
  seconds: number
}

export interface EchoOptions {
  /** Which of the front ends; all unless told. */
  count?: number
  length?: number
  /** Frames that each sends before the next has its turn. */
  batch?: number
  /** Milliseconds that it may take. */
  patience?: number
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

  /** One front end for each path, each ready when this resolves. */
  async connect(paths: string[]): Promise<void> {
    for (const path of paths) await this.#program.ask(`connect ${path}`)
    this.#count += paths.length
  }

  /** Numbered frames out of `count` of them in turn, and back; every byte is checked. Throws if anything is amiss. */
  async echo(packets: number, options: EchoOptions = {}): Promise<Echoed> {
    const { count = this.#count, length = 64, batch = 32, patience = 60_000 } = options
    const echoed = await this.#program.ask<Echoed>(`echo 0 ${count} ${length} ${packets} ${batch}`, patience)
    const { sent, received, wrong } = echoed
    if (received !== packets || wrong > 0)
      throw new Error(`of ${packets} packets ${sent} were sent, ${received} came back, ${wrong} are wrong`)
    return echoed
  }

  stop(): Promise<void> {
    return this.#program.stop()
  }
}

/** Runs `work` with a back end and its front ends, which end with it. */
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
