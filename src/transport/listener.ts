// A Unix socket that listens. It accepts connections, and unlinks its path when it closes. It replaces the socket file
// of a server that has ended, but never the socket of a live server, and never another kind of file.

import { errnoName, native } from '../addon/native.js'
import { type Watch, watch } from '../addon/wakeup.js'
import { VhostError, type VhostErrorCode } from '../errors.js'
import { Connection, type ConnectionOptions } from './connection.js'
import { pathFault } from './path.js'
import { Deadline, systemTimers } from './timers.js'

export interface ListenerHandlers {
  /** The receiver owns the connection, and starts or closes it. */
  onConnection(connection: Connection): void
  /** Accepting failed (`reason`: the errno's name) and is tried again in a moment. */
  onTrouble?(reason: string): void
}

export interface ListenOptions extends ConnectionOptions {
  backlog?: number
  /** Permissions of the socket file, for instance 0o660. Default: by the umask. */
  mode?: number
  /** Group that owns the socket file, as a number. Default: the process's own. */
  group?: number
}

const ACCEPTS_PER_TURN = 16
/**
 * Pause of a listener, in ms, while the process has no free fd. Otherwise the waiting connection would wake it again
 * and again.
 */
const REST_MS = 100
const EAGAIN = -11

const failures: Record<string, { code: VhostErrorCode; why: string; fix: string }> = {
  EADDRINUSE: {
    code: 'ERR_VHOST_PATH_IN_USE',
    why: 'a live server listens there',
    fix: 'stop it (`ss -xlp` names it), or use another path',
  },
  ENOTSOCK: {
    code: 'ERR_VHOST_PATH_NOT_SOCKET',
    why: 'something that is no socket is there, and is left alone',
    fix: 'remove it yourself, or use another path',
  },
  ENOENT: { code: 'ERR_VHOST_LISTEN_FAILED', why: 'its folder does not exist', fix: 'create the folder' },
  ENOTDIR: {
    code: 'ERR_VHOST_PATH_INVALID',
    why: 'a part of the path is not a folder',
    fix: 'use a path below a folder',
  },
  EPERM: {
    code: 'ERR_VHOST_LISTEN_FAILED',
    why: 'this process may not give the socket to that group',
    fix: 'name a group that this process belongs to',
  },
  EACCES: {
    code: 'ERR_VHOST_LISTEN_FAILED',
    why: 'this process may not create it',
    fix: 'give it write permission for the folder, and for a socket that is there already',
  },
  EMFILE: {
    code: 'ERR_VHOST_LISTEN_FAILED',
    why: 'this process has no file descriptor left',
    fix: 'allow more open files (ulimit -n): a driver takes one, a device six',
  },
}

/** Listeners whose paths must not outlive the process. */
const open = new Set<Listener>()
let watchingExit = false

function closeAll(): void {
  for (const listener of open) listener.close()
}

export class Listener {
  readonly path: string
  readonly #token: number
  readonly #handlers: ListenerHandlers
  readonly #options: ListenOptions
  readonly #watch: Watch
  #rest: Deadline | undefined
  #accepting: NodeJS.Immediate | undefined
  #closed = false

  constructor(path: string, token: number, handlers: ListenerHandlers, options: ListenOptions) {
    this.path = path
    this.#token = token
    this.#handlers = handlers
    this.#options = options
    // A hang-up that is ready in the same turn is served first, so that a front end which comes back at once finds
    // its old place free.
    this.#watch = watch(token, 'read', () => {
      this.#accepting ??= setImmediate(() => this.#accept())
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes the socket and unlinks the path before it returns. Connections stay open. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    open.delete(this)
    clearImmediate(this.#accepting)
    this.#rest?.stop()
    this.#watch.close()
    native().socketUnlink(this.path, this.#token)
    native().closeFd(this.#token)
  }

  #accept(): void {
    this.#accepting = undefined
    for (let i = 0; i < ACCEPTS_PER_TURN && !this.#closed; i++) {
      const token = native().socketAccept(this.#token)
      if (token === EAGAIN) return
      if (token < 0) {
        this.#takeRest()
        this.#handlers.onTrouble?.(errnoName(token))
        return
      }
      this.#handlers.onConnection(new Connection(token, this.#options))
    }
  }

  #takeRest(): void {
    this.#watch.mode = 'none'
    this.#rest ??= new Deadline(this.#options.timers ?? systemTimers, REST_MS, () => {
      this.#watch.mode = 'read'
    })
    this.#rest.start()
  }
}

/**
 * Listens at `path`. Throws ERR_VHOST_PATH_IN_USE, _PATH_NOT_SOCKET, _PATH_INVALID or
 * _LISTEN_FAILED, each with its fix.
 */
export function listen(path: string, handlers: ListenerHandlers, options: ListenOptions = {}): Listener {
  const fault = pathFault(path)
  if (fault) throw fault
  const token = native().socketListen(path, options.backlog ?? 128, options.mode, options.group)
  if (token < 0) {
    const reason = errnoName(token)
    const known = failures[reason]
    throw new VhostError(
      known?.code ?? 'ERR_VHOST_LISTEN_FAILED',
      `can't listen at ${path}: ${known?.why ?? reason}`,
      { path, reason, fix: known?.fix },
    )
  }
  const listener = new Listener(path, token, handlers, options)
  open.add(listener)
  if (!watchingExit) {
    watchingExit = true
    // The addon unlinks when a worker ends; on the main thread process.exit() runs no hook of its own.
    process.once('exit', closeAll)
  }
  return listener
}

/** Accepts connections on a socket that already listens. The process that made the socket removes its file. */
export function listenOn(
  token: number,
  path: string,
  handlers: ListenerHandlers,
  options: ListenOptions = {},
) {
  return new Listener(path, token, handlers, options)
}
