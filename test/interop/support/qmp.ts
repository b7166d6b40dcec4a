// QEMU's monitor, by its machine protocol: one command at a time, answered in order; events are kept.
import { connect, type Socket } from 'node:net'
import { until } from './program.js'

interface Answer {
  return?: unknown
  error?: { class: string; desc: string }
}

export interface QmpEvent {
  event: string
  data?: Record<string, unknown>
}

export class Qmp {
  readonly events: QmpEvent[] = []
  readonly #socket: Socket
  readonly #answers: Answer[] = []
  #rest = ''
  #closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
    })
  }

  /** Connects to a monitor that listens at `path`. */
  static async open(path: string): Promise<Qmp> {
    const attempt = (): Promise<Socket | undefined> =>
      new Promise(resolve => {
        const socket = connect(path)
        socket.once('connect', () => resolve(socket))
        socket.once('error', () => resolve(undefined))
      })
    const qmp = new Qmp(await until(`the monitor ${path}`, attempt))
    await qmp.command('qmp_capabilities')
    return qmp
  }

  async command<T = unknown>(execute: string, args: Record<string, unknown> = {}): Promise<T> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`)
    const answer = await until(`an answer to ${execute}`, () => {
      if (this.#answers.length === 0 && this.#closed) throw new Error(`${execute}: QEMU is gone`)
      return this.#answers.shift()
    })
    if (answer.error) throw new Error(`${execute}: ${answer.error.desc}`)
    return answer.return as T
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines.filter(Boolean)) {
      const message = JSON.parse(line)
      if ('event' in message) this.events.push(message)
      else if ('return' in message || 'error' in message) this.#answers.push(message)
    }
  }
}
