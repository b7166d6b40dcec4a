// The origin of a driver's connections: a listener, repeated attempts to connect, or an inherited socket. For the
// driver the only difference is whether another connection can follow the last one.

import { native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import { Backoff, RECONNECT_FIRST_MS, RECONNECT_MOST_MS } from './backoff.js'
import { connect, inherit } from './connect.js'
import { Connection, type ConnectionOptions } from './connection.js'
import { type Listener, type ListenerHandlers, listen, listenOn } from './listener.js'
import { pathFault } from './path.js'
import { Deadline, systemTimers } from './timers.js'

export interface Retry {
  /** Failures in a row. */
  attempt: number
  /** Milliseconds until the next attempt. */
  delay: number
  /** The errno's name, or `lost` if there was a connection. */
  reason: string
}

export interface OriginHandlers extends ListenerHandlers {
  /** There is no connection, and another attempt will be made. */
  onRetry?(retry: Retry): void
}

export interface OriginOptions extends ConnectionOptions {
  role?: 'server' | 'client'
  fd?: number
  /** `role: 'client'`: try again, and how often. Default true. */
  reconnect?: boolean | { first?: number; most?: number }
  mode?: number
  group?: number
  random?: () => number
}

export interface Origin {
  /** True if no connection can follow the current one. */
  readonly last: boolean
  /** A connection from this origin has ended. `served`: at least one message had arrived. */
  over(served: boolean): void
  close(): void
}

class Listening implements Origin {
  readonly last = false

  constructor(readonly listener: Listener) {}

  over(): void {}

  close(): void {
    this.listener.close()
  }
}

/** Passes on one connection in a later turn, so that all who subscribe in this turn see it. */
class Handed implements Origin {
  readonly last = true
  readonly #connection: Connection
  #waiting: NodeJS.Immediate | undefined

  constructor(connection: Connection, handlers: OriginHandlers) {
    this.#connection = connection
    this.#waiting = setImmediate(() => {
      this.#waiting = undefined
      handlers.onConnection(connection)
    })
  }

  over(): void {}

  close(): void {
    if (this.#waiting === undefined) return
    clearImmediate(this.#waiting)
    this.#waiting = undefined
    this.#connection.close()
  }
}

class Connecting implements Origin {
  readonly last = false
  readonly #path: string
  readonly #handlers: OriginHandlers
  readonly #options: OriginOptions
  readonly #backoff: Backoff
  #wait: Deadline | undefined
  #first: NodeJS.Immediate | undefined
  #closed = false

  constructor(path: string, handlers: OriginHandlers, options: OriginOptions) {
    const { first = RECONNECT_FIRST_MS, most = RECONNECT_MOST_MS } =
      typeof options.reconnect === 'object' ? options.reconnect : {}
    this.#path = path
    this.#handlers = handlers
    this.#options = options
    this.#backoff = new Backoff({ first, most, random: options.random })
    this.#first = setImmediate(() => this.#try())
  }

  over(served: boolean): void {
    if (this.#closed) return
    // After a peer that accepts and closes at once, the wait grows in the same way as after a refused attempt.
    if (served) this.#backoff.reset()
    this.#later('lost')
  }

  close(): void {
    this.#closed = true
    clearImmediate(this.#first)
    this.#wait?.stop()
  }

  #try(): void {
    if (this.#closed) return
    let connection: Connection
    try {
      connection = connect(this.#path, this.#options)
    } catch (error) {
      this.#later(error instanceof VhostError ? (error.reason ?? error.code) : String(error))
      return
    }
    this.#handlers.onConnection(connection)
  }

  #later(reason: string): void {
    const delay = this.#backoff.next()
    this.#wait = new Deadline(this.#options.timers ?? systemTimers, delay, () => this.#try())
    this.#wait.start()
    this.#handlers.onRetry?.({ attempt: this.#backoff.attempt, delay, reason })
  }
}

/**
 * Throws if it can't work at all: the path is invalid, the server's path can't be bound, the fd is of another kind, or
 * the only attempt to connect failed.
 */
export function openOrigin(path: string, handlers: OriginHandlers, options: OriginOptions = {}): Origin {
  if (options.fd !== undefined) {
    const token = inherit(options.fd)
    return native().socketCheck(token) === 1
      ? new Listening(listenOn(token, path, handlers, options))
      : new Handed(new Connection(token, options), handlers)
  }
  if (options.role !== 'client') return new Listening(listen(path, handlers, options))
  if (options.reconnect === false) return new Handed(connect(path, options), handlers)
  const fault = pathFault(path)
  if (fault) throw fault
  return new Connecting(path, handlers, options)
}
