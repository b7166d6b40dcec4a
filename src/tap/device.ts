// TapDevice: a TAP interface and its handle in the addon. It opens the interface or uses an inherited fd, configures
// the interface, and reports when the interface is gone. ports.ts moves packets through it.

import { type Addon, errnoName, native } from '../addon/native.js'
import type { FeatureName } from '../control/feature-names.js'
import { bitOf } from '../control/feature-names.js'
import { VhostError } from '../errors.js'

/** Maximum length of an interface's name: IFNAMSIZ of linux/if.h minus the terminating zero byte. */
const LONGEST_NAME = 15

export interface TapSettings {
  /** The inherited fd to use, 0 or more. */
  fd?: number
  mtu?: number
  persist?: boolean
  up?: boolean
}

const fixes: Record<string, string> = {
  EPERM:
    'run with CAP_NET_ADMIN, or let a privileged process pass an fd or make the interface (ip tuntap add … user …)',
  EACCES: 'give the process access to /dev/net/tun',
  ENOENT:
    'create /dev/net/tun with modprobe tun, or pass the device to the container (--device /dev/net/tun)',
  ENODEV: 'load the TUN/TAP driver with modprobe tun',
  ENXIO: 'load the TUN/TAP driver with modprobe tun',
  EBUSY: 'close the other process or TapPort that has opened the interface, or choose another name',
  EINVAL:
    'choose another name: an interface with this name exists, but is not a TAP interface or has several queues',
  EMFILE: 'raise the limit of open file descriptors (ulimit -n)',
}

export class TapDevice {
  readonly name: string
  readonly handle: number
  /** Called once, in a microtask, when the interface is gone. `reason` is the name of the errno. */
  onGone: (reason: string) => void = () => {}
  readonly #addon: Addon = native()
  #running = true

  constructor(name: string, settings: TapSettings) {
    this.handle = open(this.#addon, name, settings)
    this.name = this.#addon.tapName(this.handle)
  }

  get running(): boolean {
    return this.#running
  }

  /** Called when a read or write of a burst found that the interface can't be used any more. */
  fail(): void {
    if (!this.#running) return
    this.#running = false
    const reason = errnoName(-this.#addon.tapError(this.handle))
    queueMicrotask(() => this.onGone(reason))
  }

  setOffloads(features: readonly FeatureName[]): void {
    let mask = 0n
    for (const feature of features) mask |= bitOf(feature)?.mask ?? 0n
    const error = this.#addon.tapOffloads(this.handle, mask)
    if (error < 0 && this.#running) throw failed(`the offloads of ${this.name} cannot be set`, error)
  }

  close(): void {
    this.#running = false
    this.#addon.tapClose(this.handle)
  }
}

function open(
  addon: Addon,
  name: string,
  { fd = -1, mtu = 0, persist = false, up = false }: TapSettings,
): number {
  check(name, fd, mtu)
  if (fd >= 0 && (mtu !== 0 || persist || up))
    throw new VhostError(
      'ERR_VHOST_INVALID_ARGUMENT',
      'mtu, persist and up do not apply to an inherited interface',
      {
        fix: 'set them in the process that passes the fd',
      },
    )
  const handle = addon.tapOpen(name, fd)
  if (handle < 0 && fd >= 0)
    throw failed(
      `fd ${fd} cannot be used`,
      handle,
      'pass an fd that is attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR',
    )
  if (handle < 0) throw failed(`the TAP interface ${name} cannot be opened`, handle)
  const error = addon.tapSetUp(handle, mtu, persist, up)
  if (error === 0) return handle
  const made = addon.tapName(handle)
  addon.tapClose(handle)
  throw failed(
    `the interface ${made} cannot be set up`,
    error,
    error === EINVAL
      ? `choose an MTU in the range of the interface: an MTU of ${mtu} is out of range`
      : undefined,
  )
}

const EINVAL = -22

function failed(what: string, error: number, fix?: string): VhostError {
  const reason = errnoName(error)
  return new VhostError('ERR_VHOST_TAP_FAILED', `${what} (${reason})`, { reason, fix: fix ?? fixes[reason] })
}

function check(name: string, fd: number, mtu: number): void {
  if (typeof name !== 'string') throw new TypeError('the name of an interface must be a string')
  const fault =
    name.length > LONGEST_NAME
      ? `longer than ${LONGEST_NAME} bytes`
      : /[^!-~]|[/:]/.test(name) || name === '.' || name === '..'
        ? 'not a valid interface name'
        : undefined
  if (fault)
    throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', `"${name}" is ${fault}`, {
      fix: 'use up to 15 letters and digits, or omit the name so that the kernel chooses one',
    })
  if (!Number.isInteger(fd)) throw new TypeError('fd must be an integer')
  if (!Number.isInteger(mtu) || mtu < 0 || mtu > 65535)
    throw new RangeError(`mtu must be an integer from 0 to 65535, not ${mtu}`)
}
