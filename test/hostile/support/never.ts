// A file whose file system never answers (fuse.c), as a front end with a FUSE server of its own can send it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { native } from '../../../src/addon/native.js'
import type { Need } from '../../support/needs.js'
import { until } from './conditions.js'
import { compiled, plainEnv } from './programs.js'
import { newPath } from './stage.js'

/** FUSE_FLUSH, which close() asks for. */
export const FLUSH = '25'

const program = compiled('fuse', '-pthread')

/** A FUSE file system that can be mounted. */
export const fuse: Need = {
  of: 'files whose file system never answers (FUSE)',
  missing: () =>
    spawnSync(program, ['try'], { env: plainEnv }).status === 0
      ? undefined
      : 'modprobe fuse; and a process that may mount: root, or user namespaces and no chroot',
}

export class NeverAnswers {
  /** The file, as a token. */
  readonly token: number
  /** Numbers of the requests that the server keeps waiting. */
  readonly asked: string[] = []
  readonly #server: ChildProcess

  private constructor(token: number, server: ChildProcess) {
    this.token = token
    this.#server = server
    let rest = ''
    server.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.asked.push(...lines)
    })
  }

  static async open(): Promise<NeverAnswers> {
    const path = newPath()
    const listener = native().socketListen(path, 1)
    const server = spawn(program, [path], { env: plainEnv, stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      const byte = new Uint8Array(1)
      const fds = new Uint32Array(254)
      const socket = await until('the server', () => {
        const accepted = native().socketAccept(listener)
        return accepted > 0 && accepted
      })
      await until('its file', () => native().socketReceive(socket, byte, 0, 1, fds) === 1)
      native().closeFd(socket)
      const file = new NeverAnswers(fds[1], server)
      await until('the server to be ready', () => file.asked.shift() === 'ready')
      return file
    } finally {
      native().closeFd(listener)
    }
  }

  /** The server answers all that waits, and whatever comes after. */
  async answer(): Promise<void> {
    this.#server.stdin?.write('\n')
    await until('all to be answered', () => this.asked.includes('answered'))
  }

  async close(): Promise<void> {
    native().closeFd(this.token)
    await this.answer()
    this.#server.stdin?.end()
    await once(this.#server, 'exit')
  }
}
