// Real sockets for tests of the transport: a listener at a path of its own, and a raw peer that can send any bytes
// with any fds. Time passes only when a test says so.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { native } from '../../src/addon/native.js'
import { refLoop, unrefLoop } from '../../src/addon/wakeup.js'
import type { CloseCode, Connection, Message } from '../../src/transport/connection.js'
import { type Listener, listen } from '../../src/transport/listener.js'
import type { Timers } from '../../src/transport/timers.js'

export const EAGAIN = -11

/** Timers that wait for `pass`. */
export class FakeTimers implements Timers {
  now = 0
  readonly #waiting = new Map<object, { at: number; callback: () => void }>()

  set(ms: number, callback: () => void): unknown {
    const timer = {}
    this.#waiting.set(timer, { at: this.now + ms, callback })
    return timer
  }

  clear(timer: unknown): void {
    this.#waiting.delete(timer as object)
  }

  get waiting(): number {
    return this.#waiting.size
  }

  pass(ms: number): void {
    this.now += ms
    for (const [timer, { at, callback }] of [...this.#waiting]) {
      if (at > this.now) continue
      this.#waiting.delete(timer)
      callback()
    }
  }
}

/** Waits for turns of the event loop until something holds; ava's time limit ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** As many turns as anything under way could need. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

export const openFds = (): number => readdirSync('/proc/self/fd').length

export function folder(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'rx-vhost-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** The raw end of a connection: no framing, no checks. */
export class Peer {
  readonly token: number
  #open = true

  constructor(path: string) {
    this.token = native().socketConnect(path)
    if (this.token < 0) throw new Error(`connect: ${this.token}`)
  }

  send(bytes: ArrayLike<number>, fds: number[] = []): number {
    const data = Uint8Array.from(bytes)
    return native().socketSend(
      this.token,
      data,
      0,
      data.length,
      fds.length ? Uint32Array.from(fds) : undefined,
    )
  }

  /** The bytes that are there, or undefined after the end. */
  receive(length = 4096): Uint8Array | undefined {
    const bytes = new Uint8Array(length)
    const count = native().socketReceive(this.token, bytes, 0, length, new Uint32Array(254))
    if (count === EAGAIN) return new Uint8Array()
    return count > 0 ? bytes.subarray(0, count) : undefined
  }

  close(): void {
    if (this.#open) native().closeFd(this.token)
    this.#open = false
  }
}

export const header = (request: number, flags: number, size: number): Uint8Array =>
  new Uint8Array(Uint32Array.of(request, flags, size).buffer)

export const whole = (request: number, payload: ArrayLike<number> = []): Uint8Array =>
  Uint8Array.of(...header(request, 1, payload.length), ...Array.from(payload))

export interface Scene {
  path: string
  timers: FakeTimers
  listener: Listener
  connections: Connection[]
  messages: Message[]
  closes: CloseCode[]
  /** A raw peer, and our side of its connection, started. */
  connect(): Promise<{ peer: Peer; connection: Connection }>
}

/** A listener that starts every connection and notes what comes. Checks at the end that no fd is left over. */
export function scene(
  t: ExecutionContext,
  onMessage: (message: Message, connection: Connection) => void = () => {},
): Scene {
  const timers = new FakeTimers()
  const path = join(folder(t), 'port.sock')
  const before = native().fdCount()
  const peers: Peer[] = []
  refLoop()
  const it: Scene = {
    path,
    timers,
    connections: [],
    messages: [],
    closes: [],
    listener: listen(
      path,
      {
        onConnection(connection) {
          it.connections.push(connection)
          connection.start({
            message(message) {
              it.messages.push(message)
              onMessage(message, connection)
            },
            close: code => it.closes.push(code),
          })
        },
      },
      { timers },
    ),
    async connect() {
      const count = it.connections.length
      const peer = new Peer(path)
      peers.push(peer)
      await until(() => it.connections.length > count)
      return { peer, connection: it.connections[count] }
    },
  }
  t.teardown(() => {
    for (const peer of peers) peer.close()
    for (const connection of it.connections) connection.close()
    for (const { fds } of it.messages) for (const fd of fds) native().closeFd(fd)
    it.listener.close()
    unrefLoop()
    if (native().fdCount() !== before) throw new Error(`${native().fdCount() - before} fds are left over`)
    if (timers.waiting > 0) throw new Error('a timer is left over')
  })
  return it
}
