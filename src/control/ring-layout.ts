// The layout of the ring formats as data, and the checks that depend on it: whether a ring lies within the memory table,
// and which of its bytes are logged. Split is the only format so far. Native code checks the addresses again
// (native/core/virtqueue/split_ring.h: layout()). (virtio 1.2, 2.7.)
import type { RingAddresses } from './codec.js'
import type { MemoryRegion } from './events.js'
import { overlaps } from './memory.js'
import type { Refusal } from './refusals.js'

/** One of the three areas of a ring, in bytes. */
interface Area {
  readonly alignment: bigint
  /** Bytes before the entries. */
  readonly header: bigint
  readonly entry: bigint
  /** Bytes of the event field behind the entries. It belongs to the area only if EVENT_IDX is negotiated. */
  readonly event: bigint
}

/** The areas have the names from SET_VRING_ADDR. */
type RingLayout = Readonly<Record<'descriptors' | 'available' | 'used', Area>>

const SPLIT: RingLayout = {
  descriptors: { alignment: 16n, header: 0n, entry: 16n, event: 0n },
  available: { alignment: 2n, header: 4n, entry: 2n, event: 2n },
  used: { alignment: 4n, header: 4n, entry: 8n, event: 2n },
}

const bytes = ({ header, entry, event }: Area, size: number, eventIndex: boolean): bigint =>
  header + entry * BigInt(size) + (eventIndex ? event : 0n)

/** Returns the fault of the addresses that no other size and no other table can correct, or undefined. */
export function alignmentFault(ring: RingAddresses): Refusal | undefined {
  const { descriptors, available, used } = SPLIT
  return ring.descriptors % descriptors.alignment ||
    ring.available % available.alignment ||
    ring.used % used.alignment
    ? 'vq_align'
    : undefined
}

/** Bytes of a used ring, with its event field, which are marked when the used ring is logged. */
export const loggedBytes = (size: number): bigint => bytes(SPLIT.used, size, true)

/** The reason why a ring can't start with this memory, or undefined. */
export function ringFault(
  regions: readonly MemoryRegion[],
  ring: RingAddresses,
  size: number,
  eventIndex: boolean,
): Refusal | undefined {
  const descriptors = bytes(SPLIT.descriptors, size, eventIndex)
  const available = bytes(SPLIT.available, size, eventIndex)
  const used = bytes(SPLIT.used, size, eventIndex)
  // Each area must lie in one region: adjacent regions may be mapped to addresses that are not adjacent.
  const inside = (at: bigint, length: bigint) =>
    regions.some(r => at >= r.user && at + length <= r.user + r.size)
  if (
    !inside(ring.descriptors, descriptors) ||
    !inside(ring.available, available) ||
    !inside(ring.used, used)
  )
    return 'vq_addr'
  // A used ring that overwrites descriptors or heads can't work. Other overlaps harm only the guest itself.
  if (
    overlaps(ring.descriptors, descriptors, ring.used, used) ||
    overlaps(ring.available, available, ring.used, used)
  )
    return 'vq_addr'
  return undefined
}
