// Runs commands in a test guest, over its second serial port (a Unix socket on this side; guest/init is the other
// side): "<id> <command>" goes in, the output and "#end <id> <status>" come back, and "#ready" at each boot.
import { connect, type Socket } from 'node:net'
import { until } from './program.js'

export interface CommandResult {
  status: number
  output: string
}

export class GuestShell {
  private readonly socket: Socket
  private readonly lines: string[] = []
  private readonly describe: () => string
  private next = 1
  private closed = false
  /** How often the guest has come up. */
  boots = 0

  private constructor(socket: Socket, describe: () => string) {
    this.socket = socket
    this.describe = describe
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/)
      rest = lines.pop()!
      for (const line of lines) {
        if (line.endsWith('#ready')) this.boots++
        this.lines.push(line)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** `describe` tells, for an error's message, what became of the guest. */
  static async open(path: string, describe: () => string): Promise<GuestShell> {
    const attempt = (): Promise<Socket | undefined> =>
      new Promise(resolve => {
        const socket = connect(path)
        socket.once('connect', () => resolve(socket))
        socket.once('error', () => resolve(undefined))
      })
    return new GuestShell(await until(`the guest's serial port ${path}`, attempt), describe)
  }

  private async wait<T>(what: string, look: () => T | undefined | false, limit?: number): Promise<T> {
    const looking = (): T | undefined | false => {
      const seen = look()
      if ((seen === undefined || seen === false) && this.closed) throw new Error(`${what}: the guest is gone`)
      return seen
    }
    return until(what, looking, limit).catch(error => {
      throw new Error(`${error.message}\n${this.lines.slice(-10).join('\n')}\n${this.describe()}`)
    })
  }

  /** Waits until the guest has booted for the `times`th time. */
  async booted(times = 1): Promise<void> {
    await this.wait('the guest boots', () => this.boots >= times)
  }

  /** Starts a command without waiting for its end (which `reboot` never reports). */
  send(command: string): number {
    const id = this.next++
    this.socket.write(`${id} ${command}\n`)
    return id
  }

  async run(command: string, limit?: number): Promise<CommandResult> {
    const from = this.lines.length
    const end = `#end ${this.send(command)} `
    const at = await this.wait(
      `in the guest: ${command}`,
      () => {
        const found = this.lines.findIndex((line, i) => i >= from && line.startsWith(end))
        return found >= 0 && found + 1
      },
      limit,
    )
    const output = this.lines
      .slice(from, at - 1)
      .join('\n')
      .trim()
    return { status: Number(this.lines[at - 1]!.slice(end.length)), output }
  }

  /** Runs a command that must succeed, and gives its output. */
  async must(command: string, limit?: number): Promise<string> {
    const { status, output } = await this.run(command, limit)
    if (status !== 0)
      throw new Error(`in the guest: ${command}: status ${status}\n${output}\n${this.describe()}`)
    return output
  }

  close(): void {
    this.socket.destroy()
  }
}
