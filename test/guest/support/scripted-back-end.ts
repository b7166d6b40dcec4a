// A back end that moves no frame: it notes each message, answers as told, and closes the fds it gets. For tests of the
// order of a guest's messages and of what it does when a back end refuses or leaves.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { native } from '../../../src/addon/native.js'
import { type Watch, watch } from '../../../src/addon/wakeup.js'
import { HEADER_BYTES, message, NEED_REPLY, nameOf, REPLY, REQUEST, u64 } from '../../../src/guest/wire.js'

export interface Seen {
  name: string
  payload: Uint8Array
  fds: number
  acknowledged: boolean
}

export interface Script {
  features?: bigint
  protocolFeatures?: bigint
  /** Requests that are refused when an acknowledgement is asked for. */
  refuse?: string[]
  /** Requests at which it hangs up. */
  leaveAt?: string
  /** A request that it never answers. */
  silentAt?: string
  onSilence?: () => void
}

export class ScriptedBackEnd {
  readonly folder = mkdtempSync(join(tmpdir(), 'rx-vhost-scripted-'))
  readonly path = join(this.folder, 'v.sock')
  readonly seen: Seen[] = []
  readonly #script: Script
  readonly #listener: number
  readonly #watches: Watch[] = []
  #socket = 0

  constructor(script: Script = {}) {
    this.#script = script
    this.#listener = native().socketListen(this.path, 1)
    this.#watches.push(watch(this.#listener, 'read', () => this.#accept()))
  }

  get names(): string[] {
    return this.seen.map(({ name }) => name)
  }

  hangUp(): void {
    this.#watches.pop()?.close()
    native().closeFd(this.#socket)
    this.#socket = 0
  }

  close(): void {
    if (this.#socket) this.hangUp()
    for (const open of this.#watches) open.close()
    native().closeFd(this.#listener)
    rmSync(this.folder, { recursive: true, force: true })
  }

  #accept(): void {
    const socket = native().socketAccept(this.#listener)
    if (socket < 0) return
    this.#socket = socket
    this.#watches.push(watch(socket, 'read', () => this.#read()))
  }

  #read(): void {
    const bytes = new Uint8Array(4096)
    const fds = new Uint32Array(254)
    while (this.#socket) {
      if (native().socketReceive(this.#socket, bytes, 0, HEADER_BYTES, fds) !== HEADER_BYTES) return
      for (const token of fds.subarray(1, 1 + fds[0])) native().closeFd(token)
      const [request, flags, size] = new Uint32Array(bytes.buffer, 0, 3)
      const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + size)
      if (size) native().socketReceive(this.#socket, bytes, HEADER_BYTES, size, new Uint32Array(1))
      const acknowledged = (flags & NEED_REPLY) !== 0
      const entry = { name: nameOf(request), payload: payload.slice(), fds: fds[0], acknowledged }
      this.seen.push(entry)
      this.#answer(request, entry)
    }
  }

  #answer(request: number, { name, payload, acknowledged }: Seen): void {
    const { features = 0n, protocolFeatures = 0n, refuse = [], leaveAt, silentAt, onSilence } = this.#script
    if (leaveAt === name) {
      this.hangUp()
      return
    }
    if (silentAt === name) {
      onSilence?.()
      return
    }
    const reply = (bytes: Uint8Array) => {
      const whole = message(request, REPLY, bytes)
      native().socketSend(this.#socket, whole, 0, whole.length)
    }
    if (request === REQUEST.GET_FEATURES) reply(u64(features))
    else if (request === REQUEST.GET_PROTOCOL_FEATURES) reply(u64(protocolFeatures))
    else if (request === REQUEST.GET_VRING_BASE) reply(payload)
    else if (acknowledged) reply(u64(refuse.includes(name) ? 1n : 0n))
  }
}
