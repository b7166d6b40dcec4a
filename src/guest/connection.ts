// A front end's connection to a back end: sends requests with fds over a Unix socket, matches replies to them in
// order (vhost-user, "Header"). life.ts and session.ts call it; it calls the native sockets.

import { errnoName, FDS_EXHAUSTED, native } from '../addon/native.js'
import { refLoop, unrefLoop, type Watch, watch } from '../addon/wakeup.js'
import { VhostError } from '../errors.js'
import { HEADER_BYTES, message, NEED_REPLY, nameOf, nothing, REPLY, VERSION } from './wire.js'

const EAGAIN = -11
const MAX_REPLY = 4096

interface Expected {
  request: number
  resolve(payload: Uint8Array): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

export class Connection {
  /** Resolves with the reason when the connection is over. */
  readonly closed: Promise<string>
  readonly #path: string
  readonly #token: number
  readonly #timeout: number
  readonly #expected: Expected[] = []
  readonly #outbox: { bytes: Uint8Array; sent: number; fds: Uint32Array }[] = []
  readonly #inbox = new Uint8Array(HEADER_BYTES + MAX_REPLY)
  readonly #fds = new Uint32Array(254)
  #filled = 0
  #open = true
  readonly #watch: Watch
  #settle!: (reason: string) => void

  /** Connects to the back end that listens at `path`; `timeout` is in milliseconds, for each reply. */
  static to(path: string, timeout: number): Connection {
    const token = native().socketConnect(path)
    if (token < 0)
      throw new VhostError('ERR_VHOST_CONNECT_FAILED', `cannot connect to ${path} (${errnoName(token)})`, {
        path,
        fix: 'start the back end first, and check that it listens there',
      })
    return new Connection(token, path, timeout)
  }

  /** Takes over a connected socket. */
  constructor(token: number, path: string, timeout: number) {
    this.#path = path
    this.#token = token
    this.#timeout = timeout
    this.closed = new Promise(resolve => {
      this.#settle = resolve
    })
    this.#watch = watch(token, 'read', () => this.#onReady())
    refLoop() // like any socket, it keeps the process alive
  }

  /** Sends a request that has no reply. */
  tell(request: number, payload: Uint8Array = nothing, fds: number[] = []): void {
    this.#send(message(request, 0, payload), fds)
  }

  /** Sends a request and returns the payload of its own reply. */
  ask(request: number, payload: Uint8Array = nothing, fds: number[] = []): Promise<Uint8Array> {
    return this.#expect(request, () => this.#send(message(request, 0, payload), fds))
  }

  /** Sends a request and waits for its acknowledgement; rejects if the back end refuses it. */
  async order(request: number, payload: Uint8Array = nothing, fds: number[] = []): Promise<void> {
    const answer = await this.#expect(request, () => this.#send(message(request, NEED_REPLY, payload), fds))
    if (answer.length !== 8 || answer.some(byte => byte !== 0))
      throw this.#error(`the back end refused ${nameOf(request)}`, request)
  }

  close(reason = 'closed by this side'): void {
    if (!this.#open) return
    this.#open = false
    this.#watch.close()
    unrefLoop()
    native().closeFd(this.#token)
    this.#outbox.length = 0
    for (const { reject, request, timer } of this.#expected.splice(0)) {
      clearTimeout(timer)
      reject(this.#error(`no answer to ${nameOf(request)}: ${reason}`, request))
    }
    this.#settle(reason)
  }

  #error(text: string, request?: number): VhostError {
    return new VhostError('ERR_VHOST_PROTOCOL', text, {
      path: this.#path,
      request: request === undefined ? undefined : nameOf(request),
    })
  }

  #expect(request: number, send: () => void): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.close(`no answer within ${this.#timeout} ms`), this.#timeout)
      this.#expected.push({ request, resolve, reject, timer })
      send()
    })
  }

  #send(bytes: Uint8Array, fds: number[]): void {
    if (!this.#open) throw this.#error('the connection is closed')
    this.#outbox.push({ bytes, sent: 0, fds: Uint32Array.from(fds) })
    if (this.#outbox.length === 1) this.#flush()
  }

  #flush(): void {
    while (this.#outbox.length > 0) {
      const head = this.#outbox[0]
      // The fds are sent with the first byte (vhost-user: "Ancillary data").
      const fds = head.sent === 0 && head.fds.length > 0 ? head.fds : undefined
      const sent = native().socketSend(this.#token, head.bytes, head.sent, head.bytes.length - head.sent, fds)
      if (sent === EAGAIN) {
        this.#watch.mode = 'read-write'
        return
      }
      if (sent < 0) {
        this.close(`the socket failed (${errnoName(sent)})`)
        return
      }
      head.sent += sent
      if (head.sent === head.bytes.length) this.#outbox.shift()
    }
  }

  #onReady(): void {
    if (this.#outbox.length > 0) {
      this.#flush()
      if (this.#open && this.#outbox.length === 0) this.#watch.mode = 'read'
    }
    while (this.#open) {
      const room = this.#inbox.length - this.#filled
      const got = native().socketReceive(this.#token, this.#inbox, this.#filled, room, this.#fds)
      if (got === EAGAIN) return
      if (got <= 0) {
        this.close(got === 0 ? 'the back end hung up' : `the socket failed (${errnoName(got)})`)
        return
      }
      // None of the requests sent here has a reply with an fd.
      if (this.#fds[0] < FDS_EXHAUSTED)
        for (const token of this.#fds.subarray(1, 1 + this.#fds[0])) native().closeFd(token)
      this.#filled += got
      this.#parse()
    }
  }

  #parse(): void {
    while (this.#open && this.#filled >= HEADER_BYTES) {
      const view = new DataView(this.#inbox.buffer)
      const [request, flags, size] = [0, 4, 8].map(at => view.getUint32(at, true))
      const expected = this.#expected[0]
      if (!expected || expected.request !== request || flags !== (VERSION | REPLY) || size > MAX_REPLY) {
        this.close(`unexpected answer ${nameOf(request)}, flags ${flags}, ${size} bytes`)
        return
      }
      const length = HEADER_BYTES + size
      if (this.#filled < length) return
      const payload = this.#inbox.slice(HEADER_BYTES, length)
      this.#inbox.copyWithin(0, length, this.#filled)
      this.#filled -= length
      this.#expected.shift()
      clearTimeout(expected.timer)
      expected.resolve(payload)
    }
  }
}
