// The channel back to the front end: a socket that it gave us, on which we may send it requests. No answer is ever
// asked for or waited for, since QEMU does not read it while it waits for an answer of ours: a sender that waited would
// wait for ever. What the front end does not read is bounded in bytes and time, and costs the channel, not the device.
// Between device/session.ts and connection.ts. (vhost-user "Back-end communication".)
import { native } from '../addon/native.js'
import { Connection } from './connection.js'

/** The number of unrequested answers after which the channel is closed. */
const MAX_STRIKES = 3

export class BackChannel {
  readonly #onLost: (reason: string) => void
  #connection: Connection | undefined
  #strikes = 0

  /** `onLost` is called when a channel has closed, never from within one of the calls below. */
  constructor(onLost: (reason: string) => void) {
    this.#onLost = onLost
  }

  /** Takes over the socket behind `token`, in place of any before; false if it is no connected stream socket. */
  open(token: number): boolean {
    if (native().socketCheck(token) !== 0) {
      native().closeFd(token)
      return false
    }
    this.close()
    this.#strikes = 0
    const connection = new Connection(token, { fromBackEnd: true })
    this.#connection = connection
    connection.start({
      message: ({ fds }) => {
        for (const fd of fds) native().closeFd(fd)
        if (++this.#strikes < MAX_STRIKES) return
        connection.close()
        this.#lost(connection, 'channel_answers')
      },
      close: reason => this.#lost(connection, `channel_${reason}`),
    })
    return true
  }

  send(bytes: Uint8Array): void {
    this.#connection?.send(bytes)
  }

  close(): void {
    this.#connection?.close()
    this.#connection = undefined
  }

  #lost(connection: Connection, reason: string): void {
    if (connection !== this.#connection) return
    this.#connection = undefined
    this.#onLost(reason)
  }
}
