// How many frames and bytes a packet takes on the wire, for rateLimit and impair. A packet with segmentation offload (virtio
// 1.2 §5.1.6.2) takes one frame for each segment, with headers of its own.
import { SLOT_HEADER, SLOT_LENGTH, SLOT_SHIFT, type Slots } from '../../packet/packet.js'

/** The largest length of the headers that each segment repeats, tunnels included; the sender may claim more. */
const MOST_HEADERS = 256

/** The number of frames that the packet becomes. */
export function framesOf({ meta }: Slots, slot: number): number {
  const at = slot << SLOT_SHIFT
  const segment = meta[at + SLOT_HEADER + 1] & 0xffff
  if (segment === 0 || ((meta[at + SLOT_HEADER] >>> 8) & 0xff) === 0) return 1
  return Math.max(1, Math.ceil((meta[at + SLOT_LENGTH] - headersOf(meta, at)) / segment))
}

/** The bytes of all these frames, with `overhead` for each. */
export function wireBytes({ meta }: Slots, slot: number, frames: number, overhead: number): number {
  const at = slot << SLOT_SHIFT
  const repeated = frames === 1 ? 0 : (frames - 1) * headersOf(meta, at)
  return meta[at + SLOT_LENGTH] + repeated + frames * overhead
}

const headersOf = (meta: Uint32Array, at: number): number =>
  Math.min(MOST_HEADERS, meta[at + SLOT_HEADER] >>> 16, meta[at + SLOT_LENGTH])
