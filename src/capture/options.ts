// Options, events and statistics of a capture.
import type { Writable } from 'node:stream'
import { VhostError } from '../errors.js'
import type { PacketPredicate } from '../packet/predicate.js'
import type { Overflow } from '../packet/sink.js'
import type { Direction } from './chunk.js'

/** When a capture begins a new file: by size or time, whichever comes first. */
export interface Rotation {
  /** The most bytes of a file; more if a single packet needs them. */
  bytes?: number
  /** The most seconds of a file. The next file begins with the first packet after them. */
  seconds?: number
}

/** Options of the file or stream of a capture. */
export interface PcapngWriterOptions {
  /** Begin a new file, `name-00001.pcapng`, `name-00002.pcapng` …, by size or time. Only for a path. */
  rotate?: Rotation
  /** The number of files that rotation leaves; it removes older ones. Default all. */
  ring?: number
  /**
   * What happens to packets for which the buffer has no room: `drop-newest` (default), `drop-oldest` (a chunk of 256 KiB at
   * once), `strict` (the pipeline fails with `ERR_VHOST_OVERFLOW`), or `block`: they wait under lease, so that
   * the credit of the path runs out, and it waits for the disk.
   */
  overflow?: Overflow
  /** Bytes that may wait for the file or stream. Default 4 MiB, at least 512 KiB. */
  highWaterBytes?: number
  /** Whether to end the stream when the last pipeline has ended. Default true; stdout and stderr are never ended. */
  end?: boolean
  /** Called with each event of `writer.events`. */
  onEvent?: (event: CaptureEvent) => void
  /** Milliseconds since 1970; for tests. */
  now?: () => number
}

/** Options of `capture`; those of the file that it makes are `PcapngWriterOptions`. */
export interface CaptureOptions {
  /** The interface's name in the file (`if_name`). Pipelines with the same name share an interface. Default `queue0` … */
  name?: string
  /** As the host sees it: `inbound` (default) for packets from a guest, `outbound` for packets to it. */
  direction?: Direction
  /** The most bytes of each packet that are captured. Default all. */
  snaplen?: number
  /**
   * Which packets are captured; all of them are emitted. A function, which borrows the packet for the call, or
   * `bpf('udp port 53')` of `rx-vhost/bpf`.
   */
  filter?: PacketPredicate
}

/** What happens to the file. The path always goes on. */
export type CaptureEvent =
  | { type: 'opened'; path?: string }
  | { type: 'closed'; path?: string; bytes: number }
  /** A file of the ring was removed for a newer one. */
  | { type: 'removed'; path: string }
  /** The disk is full, or the stream has failed: packets are dropped as `failed` until the next file. */
  | { type: 'failed'; path?: string; error: VhostError }

/** The counters of a capture. */
export interface CaptureStats {
  /** Packets that were captured. */
  readonly packets: number
  /** Packets under lease that wait for room (`block`). */
  readonly held: number
  /** Packets that the filters left out. */
  readonly filtered: number
  /** Packets that were not captured, by reason: `overflow`, `failed`. */
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
    invalid('the options rotate and ring need a path: a stream cannot be rotated', 'capture to a path')
  if (ring !== undefined && !(rotate?.bytes || rotate?.seconds))
    invalid('a ring is of the files that rotation makes', 'give rotate: { bytes } or { seconds }')
  if (!whole(ring)) throw new RangeError(`a ring can not have ${ring} files`)
  if (!positive(rotate?.bytes) || !positive(rotate?.seconds))
    throw new RangeError('rotate takes positive numbers')
  if (!positive(highWaterBytes)) throw new RangeError(`highWaterBytes can not be ${highWaterBytes}`)
}

export function checkCaptureOptions({ snaplen, direction }: CaptureOptions): void {
  if (!whole(snaplen)) throw new RangeError(`a snaplen can not be ${snaplen}`)
  if (direction !== undefined && !['none', 'inbound', 'outbound'].includes(direction))
    throw new TypeError(`a direction is inbound, outbound or none, not ${direction}`)
}
