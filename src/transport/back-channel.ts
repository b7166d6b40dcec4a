// The channel back to the front end: a socket from the front end, on which this side may send requests. No request asks
// for a reply: QEMU does not read the channel while it waits for one of our replies, so both sides would wait for ever.
// If the front end does not read the channel, it is closed after a number of bytes or a time, and the device continues.
// It stands between device/session.ts and connection.ts. (vhost-user "Back-end communication".)
import { native } from '../addon/native.js'
import { Connection } from './connection.js'

/** The number of unrequested answers after which the channel is closed. */
const MAX_STRIKES = 3

export class BackChannel {
  readonly #onLost: (reason: string) => void
  #connection: Connection | undefined
  #strikes = 0

  /** Calls `onLost` when a channel has closed, but never during one of the calls below. */
  constructor(onLost: (reason: string) => void) {
    this.#onLost = onLost
  }

  /**
   * Takes over the socket behind `token` and closes an earlier one. Returns false if it is not a connected stream
   * socket.
   */
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
