// What a capture can be told, and what it tells.
import type { Writable } from 'node:stream'
import { VhostError } from '../errors.js'
import type { PacketPredicate } from '../packet/predicate.js'
import type { Overflow } from '../packet/sink.js'
import type { Direction } from './chunk.js'

/** When a capture begins a new file; whichever comes first. */
export interface Rotation {
  /** A file has at most so many bytes, unless a single packet needs more. */
  bytes?: number
  /** A file has the packets of so many seconds. It changes when the next packet comes. */
  seconds?: number
}

/** What the file or stream of a capture can be told. */
export interface PcapngWriterOptions {
  /** Begin a new file, `name-00001.pcapng`, `name-00002.pcapng` …, by size or time. Only for a path. */
  rotate?: Rotation
  /** Of the files that rotation makes, keep the last so many. */
  ring?: number
  /**
   * What becomes of packets for which the buffer has no room: `drop-newest` (default), `drop-oldest` (a chunk of 256 KiB at
   * once), `strict` (the pipeline fails with `ERR_VHOST_OVERFLOW`), or `block`: their leases are held, and the path waits
   * for the disk by its credit.
   */
  overflow?: Overflow
  /** Bytes that may wait for the file or stream. Default 4 MiB, at least 512 KiB. */
  highWaterBytes?: number
  /** End the stream when the last pipeline has left. Default true; stdout and stderr are never ended. */
  end?: boolean
  /** Told of each event, as `writer.events` is. */
  onEvent?: (event: CaptureEvent) => void
  /** Milliseconds since 1970; for tests. */
  now?: () => number
}

/** What `capture` can be told, and, with `PcapngWriterOptions`, the file that it makes. */
export interface CaptureOptions {
  /** The interface's name in the file (`if_name`). Pipelines with the same name share an interface. Default `queue0` … */
  name?: string
  /** From the host's view: `inbound` (default) for what a guest sent, `outbound` for what goes to it. */
  direction?: Direction
  /** Bytes of each packet that are kept. Default all. */
  snaplen?: number
  /**
   * Which packets are captured; the path gets all of them. A function, which borrows the packet for the call, or
   * `bpf('udp port 53')` of `rx-vhost/bpf`.
   */
  filter?: PacketPredicate
}

/** What happens to the file, never to the path. */
export type CaptureEvent =
  | { type: 'opened'; path?: string }
  | { type: 'closed'; path?: string; bytes: number }
  /** A file of the ring was removed for a newer one. */
  | { type: 'removed'; path: string }
  /** A full disk, a stream that fails: packets are dropped as `failed` until the next file. */
  | { type: 'failed'; path?: string; error: VhostError }

/** What a capture has done so far. */
export interface CaptureStats {
  /** Packets that went into the capture. */
  readonly packets: number
  /** Packets whose leases are held, for want of room (`block`). */
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
    invalid('a stream can not be rotated', 'capture to a path')
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
