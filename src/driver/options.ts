// What a driver and its sinks can be told, and what of it makes no sense. Types, and one check.
import type { FeatureName, ProtocolFeatureName } from '../control/feature-names.js'
import type { PollMode } from '../data/source/options.js'
import type { Overflow } from '../packet/sink.js'
import type { PeerAllowList } from '../transport/access.js'

/** What a `VhostDriver` can be told. All have defaults. */
export interface VhostDriverOptions {
  /**
   * Who binds the socket. `server` (default): this side listens, any number of front ends come and go. `client`: the front
   * end listens; this side connects, and again for ever when there is nobody yet or the connection is lost.
   */
  role?: 'server' | 'client'
  /**
   * For `client`. `false`: one attempt, whose failure is the Observable's error, and one connection, whose end completes
   * it. Otherwise milliseconds between attempts, after the first failure (50) and at most (2,000); they double, less a
   * random part.
   */
  reconnect?: boolean | { first?: number; most?: number }
  /**
   * A socket that this process inherited; the path is then a name only. Connected, as QEMU's back-end convention `--fd=N`
   * passes it: the driver completes when the connection is over. Listening, as a supervisor passes it: a server whose
   * socket file is the supervisor's to remove. The fd is consumed by the first subscription.
   */
  fd?: number
  /** Permissions of the socket file that a server makes, for instance `0o660`. Default: as the umask has it. */
  mode?: number
  /** Group of that file, by number or by its name in /etc/group. Default: the process's own. */
  group?: number | string
  /** Which processes may be the other end, by the credentials that the kernel knows. Default: all that can connect. */
  peers?: PeerAllowList
  /** Queue pairs offered, 1 to 128. A guest uses as many as it likes. Default 128. */
  queuePairs?: number
  /** What is offered to the guest, instead of all that is implemented; see `setFeatures()`. */
  features?: readonly FeatureName[]
  /** What of the vhost-user protocol is offered to the front end, instead of all that is implemented. */
  protocolFeatures?: readonly ProtocolFeatureName[]
  /** Connections at a time; one too many is closed and reported. Default 1. */
  maxDevices?: number
  /** The largest MTU that a front end may set; a larger one is refused, and QEMU starts no device. Default 65,535. */
  maxMtu?: number
  /**
   * The configuration space (virtio 1.2, 5.1.4) that front ends may read and write; offers CONFIG and BACKEND_REQ. Of no
   * use to QEMU's network devices, and QEMU 7.1 and 7.2 crash on it: default none.
   */
  config?: Uint8Array
  /**
   * Aborted: the driver ends for good, as at `await using`. Its subscribers and pipelines complete, sockets are closed and
   * the path is unlinked before `abort()` returns. Aborted before the first subscription: it never opens.
   */
  signal?: AbortSignal
  /** How rings are watched. Default `adaptive`: drain, look a little longer, then sleep until the guest kicks. */
  poll?: PollMode
  /** Packets under lease before a from-guest queue stops. Default 1,024. */
  highWaterMark?: number
  /** Bytes under lease before a from-guest queue stops. Default 8 MiB. */
  highWaterBytes?: number
  /** Packets of one burst at most. Default 64. */
  burst?: number
}

/** What the sinks of a driver do with packets that the guest has no room for. */
export interface SinkSettings {
  /** For `source.subscribe(sink)`; the operators have options of their own. Default `block`. */
  overflow?: Overflow
  /** Packets kept by a lossy overflow while the ring has no room. Default 256. */
  highWaterMark?: number
  /** While no device is there, or its ring does not run: drop (default), or keep by `overflow`. */
  whileAbsent?: 'drop' | 'block'
  /** By one queue pair only. Default: by the pair on which the guest last sent the packet's flow. */
  pair?: number
}

/** Throws a TypeError or RangeError for what can never work. */
export function checkOptions(
  path: string,
  { role, mode, reconnect, maxMtu, config }: VhostDriverOptions,
): void {
  if (typeof path !== 'string') throw new TypeError('the path of the socket must be a string')
  if (role !== undefined && role !== 'server' && role !== 'client')
    throw new TypeError(`role must be 'server' or 'client', not ${role}`)
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o777))
    throw new RangeError('mode must be the permissions of a file, 0 to 0o777')
  const { first = 1, most = 1 } = typeof reconnect === 'object' ? reconnect : {}
  if (!(first >= 1 && most >= 1 && Number.isFinite(first + most)))
    throw new RangeError('reconnect: first and most must be milliseconds, 1 or more')
  if (maxMtu !== undefined && !(Number.isInteger(maxMtu) && maxMtu >= 68 && maxMtu <= 65535))
    throw new RangeError('maxMtu must be 68 to 65535')
  if (config !== undefined && (config.length === 0 || config.length > 256))
    throw new RangeError('config must be 1 to 256 bytes')
}
