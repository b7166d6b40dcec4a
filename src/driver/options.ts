// The options of a driver and of its sinks, and the check of their values.
import type { FeatureName, ProtocolFeatureName } from '../control/feature-names.js'
import type { PollMode } from '../data/source/options.js'
import type { Overflow } from '../packet/sink.js'
import type { PeerAllowList } from '../transport/access.js'

/** Options of a `VhostDriver`. All have defaults. */
export interface VhostDriverOptions {
  /**
   * Which side binds the socket. `server` (default): this side listens, and front ends come and go. `client`: the front end
   * listens; this side connects, and tries again for ever when nobody listens yet or the connection is lost.
   */
  role?: 'server' | 'client'
  /**
   * For `client`. `false`: one attempt, whose failure is the Observable's error, and one connection, whose end completes
   * the Observable. Otherwise milliseconds between attempts: `first` after the first failure (default 50), doubled after
   * each other one up to `most` (default 2,000), less a random part.
   */
  reconnect?: boolean | { first?: number; most?: number }
  /**
   * An inherited socket; the path is then only a name. If it is connected, as by QEMU's back-end convention `--fd=N`, the
   * driver completes when the connection ends. If it listens, as a supervisor passes it, the driver is a server, and the
   * supervisor removes the socket file. The first subscription consumes the fd.
   */
  fd?: number
  /** Permissions of the socket file that a server makes, for instance `0o660`. Default: by the umask. */
  mode?: number
  /** Group of that file, by number or by name in /etc/group. Default: the group of the process. */
  group?: number | string
  /** Which processes may be the other end, by their credentials in the kernel. Default: all that can connect. */
  peers?: PeerAllowList
  /** Queue pairs offered, 1 to 128. A guest uses as many as it likes. Default 128. */
  queuePairs?: number
  /** Virtio features to offer to the guest; see `setFeatures()`. Default: all that are implemented. */
  features?: readonly FeatureName[]
  /** Protocol features to offer to the front end. Default: all that are implemented. */
  protocolFeatures?: readonly ProtocolFeatureName[]
  /** Connections at a time. Another one is closed and reported as `refused`. Default 1. */
  maxDevices?: number
  /** The largest MTU that a front end may set, in bytes. With a larger one QEMU does not start the device. Default 65,535. */
  maxMtu?: number
  /**
   * The configuration space (virtio 1.2, 5.1.4) that front ends may read and write; offers CONFIG and BACKEND_REQ. QEMU's
   * network devices do not use it, and QEMU 7.1 and 7.2 crash on it. Default: none.
   */
  config?: Uint8Array
  /**
   * When it is aborted, the driver ends for good, as with `await using`: its subscribers and pipelines complete, sockets are
   * closed and the path is unlinked before `abort()` returns. If it is aborted before the first subscription, the driver
   * never opens.
   */
  signal?: AbortSignal
  /** How rings are polled. Default `adaptive`: drain, spin for a short time, then sleep until the guest kicks. */
  poll?: PollMode
  /** Packets under lease before a from-guest queue stops. Default 1,024. */
  highWaterMark?: number
  /** Bytes under lease before a from-guest queue stops. Default 8 MiB. */
  highWaterBytes?: number
  /** Most packets in one burst. Default 64. */
  burst?: number
  /**
   * How much of this thread's time the device gets while others want theirs too, relative to their weights: a device of
   * weight 2 gets twice as much as one of weight 1. From 0.01 to 100. Default 1.
   */
  weight?: number
}

/** Options of a driver's sink: what it does with packets for which the guest has no room. */
export interface SinkSettings {
  /** Applies to `source.subscribe(sink)`; operators have their own option. Default `block`. */
  overflow?: Overflow
  /** Packets that a lossy overflow queues while the ring has no room. Default 256. */
  highWaterMark?: number
  /** While there is no device, or its ring does not run: `drop` packets (default), or `block`, which queues them by `overflow`. */
  whileAbsent?: 'drop' | 'block'
  /** Use this queue pair only. Default: the pair on which the guest last sent the packet's flow. */
  pair?: number
}

/** Throws a TypeError or RangeError for values that can never work. */
export function checkOptions(
  path: string,
  { role, mode, reconnect, maxMtu, config, weight }: VhostDriverOptions,
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
  if (weight !== undefined && !(weight >= 0.01 && weight <= 100))
    throw new RangeError('weight must be 0.01 to 100')
  if (config !== undefined && (config.length === 0 || config.length > 256))
    throw new RangeError('config must be 1 to 256 bytes')
}
