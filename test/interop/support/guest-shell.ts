// Runs commands in a test guest, over its second serial port (a Unix socket on this side; guest/init is the other
// side). "<id> <length> <command>" goes in; "#run <id>", the output and "#end <id> <status>" come back; "#ready" comes
// at each boot. A guest under load loses input now and then (the serial port has no flow control): it answers "#again"
// to a line that is not whole, and a line that it does not answer is sent again. It runs no id twice.
import { connect, type Socket } from 'node:net'
import { until } from './program.js'

export interface CommandResult {
  status: number
  output: string
}

let shells = 0

/** A line that has not been answered for so long was lost. */
const RESEND_MS = 5_000

export class GuestShell {
  private readonly socket: Socket
  private readonly lines: string[] = []
  private readonly describe: () => string
  // A guest that has migrated runs no id twice, whoever asked before: each shell counts from a number of its own.
  private next = 1000 * ++shells
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

  /** Sends a command until the guest has begun it; does not wait for its end (which `reboot` never reports). */
  async begin(command: string): Promise<string> {
    const id = String(this.next++)
    const line = `${id} ${command.length} ${command}\n`
    let from = this.lines.length
    let resend = Date.now() + RESEND_MS
    this.socket.write(line)
    await this.wait(`in the guest: ${command}`, () => {
      const answers = this.lines.slice(from)
      if (answers.some(answer => answer === `#run ${id}` || answer.endsWith('#ready'))) return true
      const late = Date.now() >= resend
      if (!late && !answers.includes('#again')) return false
      from = this.lines.length
      resend = Date.now() + RESEND_MS
      this.socket.write(late ? `\n${line}` : line) // the first line end closes what may have arrived of the line before
      return false
    })
    return id
  }

  async run(command: string, limit?: number): Promise<CommandResult> {
    const id = await this.begin(command)
    const start = this.lines.lastIndexOf(`#run ${id}`) + 1
    const found = (): number =>
      this.lines.findIndex((line, i) => i >= start && line.startsWith(`#end ${id} `))
    const end = await this.wait(`in the guest: ${command}`, () => found() >= 0 && found(), limit)
    const output = this.lines.slice(start, end).filter(line => line !== '#again')
    return { status: Number(this.lines[end]!.split(' ')[2]), output: output.join('\n').trim() }
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
