// Options, events and statistics of a capture.
import type { Writable } from 'node:stream'
import { VhostError } from '../errors.js'
import type { PacketPredicate } from '../packet/predicate.js'
import type { Overflow } from '../packet/sink.js'
import type { Direction } from './chunk.js'

/** When a capture begins a new file. If both limits are set, the one that is reached first applies. */
export interface Rotation {
  /** Maximum size of a file in bytes. A file may be larger only if it contains a single packet. */
  bytes?: number
  /** Maximum duration of a file in seconds. The first packet after this time begins the next file. */
  seconds?: number
}

/** Options of the file or stream of a capture. */
export interface PcapngWriterOptions {
  /** Begins a new file by size or time: `name-00001.pcapng`, `name-00002.pcapng` … Only for a path. */
  rotate?: Rotation
  /** Number of files that rotation keeps. It removes older files. Default: it keeps all files. */
  ring?: number
  /**
   * What happens to packets when the buffer is full. Default `drop-newest`. `drop-oldest` drops a chunk of 256 KiB at
   * once. With `strict` the pipeline fails with `ERR_VHOST_OVERFLOW`. With `block` the packets wait under lease. So the
   * source's credit is used up, and the pipeline waits for the disk.
   */
  overflow?: Overflow
  /** Size of the buffer for bytes that are not written yet. Default 4 MiB, minimum 512 KiB. */
  highWaterBytes?: number
  /** Whether to end the stream after the last pipeline has ended. Default true. Never ends stdout and stderr. */
  end?: boolean
  /** Called with each event of `writer.events`. */
  onEvent?: (event: CaptureEvent) => void
  /** Returns milliseconds since 1970. Only for tests. */
  now?: () => number
}

/** Options of `capture`. The options of its file are in `PcapngWriterOptions`. */
export interface CaptureOptions {
  /**
   * The interface's name in the file (`if_name`). Pipelines with the same name share an interface. Default `queue0`,
   * `queue1` and so on.
   */
  name?: string
  /** The direction from the host's point of view: `inbound` (default) is from a guest, `outbound` is to a guest. */
  direction?: Direction
  /** Maximum number of bytes captured per packet. Default: all bytes. */
  snaplen?: number
  /**
   * Selects the packets that are captured. All packets are emitted. Use a function, which borrows the packet only for
   * the call, or a filter such as `bpf('udp port 53')` of `rx-vhost/bpf`.
   */
  filter?: PacketPredicate
}

/** Events of the file or stream. The pipeline continues after each of them. */
export type CaptureEvent =
  | { type: 'opened'; path?: string }
  | { type: 'closed'; path?: string; bytes: number }
  /** An old file was removed because of the option `ring`. */
  | { type: 'removed'; path: string }
  /**
   * A write failed, for example because the disk is full. Packets are dropped as `failed` until the next file begins.
   */
  | { type: 'failed'; path?: string; error: VhostError }

/** The counters of a capture. */
export interface CaptureStats {
  /** Number of captured packets. */
  readonly packets: number
  /** Number of packets that wait under lease for room in the buffer (`block`). */
  readonly held: number
  /** Number of packets that the filters rejected. */
  readonly filtered: number
  /** Number of packets that were not captured, by reason: `overflow`, `failed`. */
  readonly drops: Readonly<Record<string, number>>
}

const positive = (value: number | undefined): boolean => value === undefined || value > 0
const whole = (value: number | undefined): boolean =>
  value === undefined || (Number.isInteger(value) && value > 0)

export function checkWriterOptions(to: string | Writable, options: PcapngWriterOptions): void {
  const { rotate, ring, highWaterBytes } = options
  const invalid = (message: string, fix: string): never => {
    throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', message, { fix })
  }
  if (typeof to !== 'string' && (rotate || ring !== undefined))
    invalid(
      'the options rotate and ring need a path, because a stream cannot be rotated',
      'capture to a path',
    )
  if (ring !== undefined && !(rotate?.bytes || rotate?.seconds))
    invalid('the option ring needs the option rotate', 'set rotate.bytes or rotate.seconds')
  if (!whole(ring)) throw new RangeError(`ring must be a positive integer, not ${ring}`)
  if (!positive(rotate?.bytes) || !positive(rotate?.seconds))
    throw new RangeError('rotate.bytes and rotate.seconds must be positive numbers')
  if (!positive(highWaterBytes))
    throw new RangeError(`highWaterBytes must be a positive number, not ${highWaterBytes}`)
}

export function checkCaptureOptions({ snaplen, direction }: CaptureOptions): void {
  if (!whole(snaplen)) throw new RangeError(`snaplen must be a positive integer, not ${snaplen}`)
  if (direction !== undefined && !['none', 'inbound', 'outbound'].includes(direction))
    throw new TypeError(`direction must be inbound, outbound or none, not ${direction}`)
}
