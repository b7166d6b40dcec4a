// What a packet takes of a wire: itself, and what each frame has besides; where it is still to be cut into segments (virtio
// 1.2 §5.1.6.2), all of these. Below what limits rates. It knows the metadata of a slot, and no time.
import { SLOT_HEADER, SLOT_LENGTH, SLOT_SHIFT, type Slots } from '../../packet/packet.js'

/** Headers that each segment repeats: the most that a sender's word for it is taken for, tunnels included. */
const MOST_HEADERS = 256

/** Frames that the packet becomes. */
export function framesOf({ meta }: Slots, slot: number): number {
  const at = slot << SLOT_SHIFT
  const segment = meta[at + SLOT_HEADER + 1] & 0xffff
  if (segment === 0 || ((meta[at + SLOT_HEADER] >>> 8) & 0xff) === 0) return 1
  return Math.max(1, Math.ceil((meta[at + SLOT_LENGTH] - headersOf(meta, at)) / segment))
}

/** Their bytes in all, with `overhead` for each. */
export function wireBytes({ meta }: Slots, slot: number, frames: number, overhead: number): number {
  const at = slot << SLOT_SHIFT
  const repeated = frames === 1 ? 0 : (frames - 1) * headersOf(meta, at)
  return meta[at + SLOT_LENGTH] + repeated + frames * overhead
}

const headersOf = (meta: Uint32Array, at: number): number =>
  Math.min(MOST_HEADERS, meta[at + SLOT_HEADER] >>> 16, meta[at + SLOT_LENGTH])
