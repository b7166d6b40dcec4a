// What stands between the front ends: one of this package's examples, or DPDK's own vhost ports. The scenarios take
// either, so that a failure can be told apart from a fault of the harness or the machine:
// RX_VHOST_BACK_END=dpdk runs them against DPDK's.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Program, root } from './program.js'
import type { ResponderCounts, ResponderOptions } from './responder.js'
import { Testpmd, vhost } from './testpmd.js'

export interface PortCounts {
  path: string
  /** Packets dequeued from the guest. */
  received: number
  /** Packets enqueued to the guest. */
  sent: number
  dropped: Record<string, number>
  /** By the names of both, of a back end of this package. */
  stats?: Record<'fromGuest' | 'toGuest', Record<string, number>>
}

export interface BackEnd {
  pid: number
  /** Ends it; gives what each port counted. */
  stop(): Promise<PortCounts[]>
}

/** Starts a back end that listens at each of the paths, and resolves when it does. */
export type StartBackEnd = (paths: string[]) => Promise<BackEnd>

/** Two vhost ports of testpmd, each forwarding to the other. */
export const startDpdk: StartBackEnd = async paths => {
  const testpmd = await Testpmd.start({
    devices: paths.map((path, i) => vhost(i, path)),
    mode: 'io',
    core: 0,
  })
  await testpmd.forward()
  return {
    pid: testpmd.program.pid,
    async stop() {
      const ports = await testpmd.stopForwarding()
      await testpmd.stop()
      return ports.map(
        (port, i): PortCounts => ({
          path: paths[i]!,
          received: port.rxPackets,
          sent: port.txPackets,
          dropped: { full: port.txDropped },
        }),
      )
    },
  }
}

/** An example of this package: prints `listening <path>` per port, and its counts as JSON when it is told to end. */
const startExample =
  (name: string): StartBackEnd =>
  async paths => {
    const file = join(root, 'dist/examples', `${name}.js`)
    if (!existsSync(file)) throw new Error(`${file} is missing: npm run build`)
    const program = new Program(process.execPath, [file, ...paths], { name })
    for (const path of paths) await program.line(new RegExp(`^listening ${path}$`))
    return {
      pid: program.pid,
      async stop() {
        const { code } = await program.stop('SIGTERM')
        if (code !== 0) throw new Error(`${name} ended with ${code}:\n${program.tail()}`)
        const summary = program.lines.filter(line => line.startsWith('{')).at(-1)
        if (!summary) throw new Error(`${name} printed no summary:\n${program.tail()}`)
        return (JSON.parse(summary) as { ports: PortCounts[] }).ports
      },
    }
  }

/** The learning switch of examples/switch.ts, over any number of ports. */
export const startSwitch: StartBackEnd =
  process.env.RX_VHOST_BACK_END === 'dpdk' ? startDpdk : startExample('switch')

/** examples/forward.ts: two ports, by plain burst calls. Drops nothing: the receiver's pace is the sender's. */
export const startForward: StartBackEnd = startExample('forward')

/** examples/mirror.ts: the first two ports forward to each other, the third gets a copy of both directions. */
export const startMirror: StartBackEnd = startExample('mirror')

/** support/responder.ts in a process of its own. */
export class Responder {
  readonly program: Program

  private constructor(path: string, options: ResponderOptions) {
    const file = join(import.meta.dirname, 'responder.js')
    this.program = new Program(process.execPath, [file, path, JSON.stringify(options)], { name: 'responder' })
  }

  /** Resolves once it listens, or tries to connect. */
  static async start(path: string, options: ResponderOptions = {}): Promise<Responder> {
    const responder = new Responder(path, options)
    await responder.program.line(/^(listening|connecting)/)
    return responder
  }

  /** The number behind a word, of the line that begins with it after line `from`. */
  async when(word: string, from = 0): Promise<number> {
    return Number((await this.program.line(new RegExp(`^${word} (\\d+)`), from))[1])
  }

  /** How often a line began with the word. */
  count(word: string): number {
    return this.program.lines.filter(line => line.startsWith(word)).length
  }

  async stop(): Promise<ResponderCounts> {
    const { code } = await this.program.stop('SIGTERM')
    if (code !== 0) throw new Error(`the responder ended with ${code}:\n${this.program.tail()}`)
    return JSON.parse(this.program.lines.filter(line => line.startsWith('{')).at(-1)!)
  }

  async kill(): Promise<void> {
    this.program.kill('SIGKILL')
    await this.program.exited
  }
}
