// A front end that listens: it accepts one back end at a time, as QEMU and virtio-user do. A back end that
// connects while another is served waits in the socket's backlog.
import { abortable } from '../abort.js'
import { errnoName, native } from '../addon/native.js'
import { refLoop, unrefLoop, type Watch, watch } from '../addon/wakeup.js'
import { VhostError } from '../errors.js'
import { Connection } from './connection.js'

const BACKLOG = 1

export class FrontEndListener {
  readonly #path: string
  readonly #token: number
  #watch: Watch | undefined
  #waiting: ((token: number) => void) | undefined

  constructor(path: string) {
    const token = native().socketListen(path, BACKLOG)
    if (token < 0)
      throw new VhostError('ERR_VHOST_LISTEN_FAILED', `cannot listen at ${path} (${errnoName(token)})`, {
        path,
        fix: 'check that its folder exists, may be written to, and that nobody listens at the path (`ss -xlp`)',
      })
    this.#path = path
    this.#token = token
  }

  /** Waits for the next back end. Rejects if the listener is closed meanwhile, or the signal is aborted. */
  async accept(timeout: number, signal?: AbortSignal): Promise<Connection> {
    refLoop() // a wait for a connection keeps the process alive
    this.#watch ??= watch(this.#token, 'read', () => this.#onReady())
    try {
      const token = await abortable<number>(signal, resolve => {
        this.#waiting = resolve
        this.#onReady()
        return () => {
          this.#waiting = undefined
        }
      })
      if (token < 0)
        throw new VhostError('ERR_VHOST_DEVICE_GONE', 'the guest was closed while it waited for a back end', {
          path: this.#path,
          fix: 'make another GuestPort',
        })
      return new Connection(token, this.#path, timeout)
    } finally {
      this.#watch?.close()
      this.#watch = undefined
      unrefLoop()
    }
  }

  /** Removes the socket file as well. */
  close(): void {
    this.#settle(-1)
    this.#watch?.close()
    native().closeFd(this.#token)
  }

  #onReady(): void {
    if (!this.#waiting) return
    const token = native().socketAccept(this.#token)
    if (token >= 0) this.#settle(token)
  }

  #settle(token: number): void {
    this.#waiting?.(token)
    this.#waiting = undefined
  }
}
