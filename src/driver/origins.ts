// Opens the origin of a driver's connections by the driver's options: a listener, a connector or an inherited socket. A driver
// opens a new one each time that it gets its first user.

import { native } from '../addon/native.js'
import { VhostError } from '../errors.js'
import { groupId } from '../transport/access.js'
import { type Origin, type OriginHandlers, openOrigin } from '../transport/origin.js'
import type { VhostDriverOptions } from './options.js'

export class DriverOrigins {
  readonly #path: string
  readonly #options: VhostDriverOptions
  readonly #handlers: OriginHandlers
  #fdTaken = false
  #number: number | undefined

  constructor(path: string, options: VhostDriverOptions, handlers: OriginHandlers) {
    this.#path = path
    this.#options = options
    this.#handlers = handlers
  }

  /** The number of the driver in native code, which its devices share. */
  get number(): number {
    this.#number ??= native().driverNumber()
    return this.#number
  }

  /** Listens, connects, or takes the inherited socket. */
  open(): Origin {
    const { role, reconnect, fd, mode, group } = this.#options
    if (fd !== undefined) this.#takeFd(fd)
    const gid = group === undefined ? undefined : groupId(group)
    return openOrigin(this.#path, this.#handlers, { role, reconnect, fd, mode, group: gid })
  }

  // Only once: the first use closes the fd, and its number may then belong to another file.
  #takeFd(fd: number): void {
    if (this.#fdTaken)
      throw new VhostError('ERR_VHOST_CONNECT_FAILED', `fd ${fd} was consumed by an earlier subscription`, {
        path: this.#path,
        fix: 'keep one subscription of the driver, or make another driver with another fd',
      })
    this.#fdTaken = true
  }
}
