// The arithmetic of the memory table: whether it can be mapped, and whether a ring lies within it. Native code checks
// again; a refusal here costs no system call and changes nothing.
// (vhost-user "Memory region description"; virtio 1.2, 2.7 for the sizes of a split ring.)
import type { RingAddresses } from './codec.js'
import type { MemoryRegion } from './events.js'
import type { Refusal } from './refusals.js'

/** The protocol's limit for SET_MEM_TABLE, and how many fds a message carries. */
export const MAX_REGIONS = 8
/** Regions of a device: what native code has room for (native/core/base/limits.h). */
export const MAX_SLOTS = 509
export const TOP = 1n << 64n

const overlaps = (a: bigint, sizeA: bigint, b: bigint, sizeB: bigint): boolean =>
  a < b + sizeB && b < a + sizeA

/** Two views of one address would make a translation ambiguous. */
export const touches = (a: MemoryRegion, b: MemoryRegion): boolean =>
  overlaps(a.guest, a.size, b.guest, b.size) || overlaps(a.user, a.size, b.user, b.size)

/** The reason why a region can't be added to these, or undefined. */
export function regionFault(regions: readonly MemoryRegion[], region: MemoryRegion): Refusal | undefined {
  const { guest, size, user, offset } = region
  // The end may be 2^64 itself: BigInt sums do not wrap.
  if (size === 0n || guest + size > TOP || user + size > TOP || offset + size > TOP) return 'mem_range'
  return regions.some(other => touches(region, other)) ? 'mem_overlap' : undefined
}

/** The reason why a table can't be used, or undefined. */
export function tableFault(regions: readonly MemoryRegion[]): Refusal | undefined {
  const faults = regions.map((region, i) => regionFault(regions.slice(0, i), region))
  // An impossible region is reported before an overlap.
  return faults.find(fault => fault === 'mem_range') ?? faults.find(fault => fault !== undefined)
}

/** Index of the region with the same addresses and size; -1 if there is none. */
export const findRegion = (regions: readonly MemoryRegion[], { guest, size, user }: MemoryRegion): number =>
  regions.findIndex(r => r.guest === guest && r.size === size && r.user === user)

export const sameTable = (a: readonly MemoryRegion[], b: readonly MemoryRegion[]): boolean =>
  a.length === b.length &&
  a.every(
    (r, i) =>
      r.guest === b[i].guest && r.size === b[i].size && r.user === b[i].user && r.offset === b[i].offset,
  )

/** What no size and no table can mend; the alignments of virtio 1.2, 2.7. */
export function alignmentFault(ring: RingAddresses): Refusal | undefined {
  return ring.descriptors % 16n || ring.available % 2n || ring.used % 4n ? 'vq_align' : undefined
}

/** Size of a used ring in bytes, with its event field. */
export const usedBytes = (size: number): bigint => 6n + 8n * BigInt(size)

/** The reason why a split ring can't start with this memory, or undefined. */
export function ringFault(
  regions: readonly MemoryRegion[],
  ring: RingAddresses,
  size: number,
  eventIndex: boolean,
): Refusal | undefined {
  const n = BigInt(size)
  const tail = eventIndex ? 2n : 0n
  const descriptors = 16n * n
  const available = 4n + 2n * n + tail
  const used = 4n + 8n * n + tail
  // Each part lies in one region: neighbours need not stay neighbours once they are mapped.
  const inside = (at: bigint, length: bigint) =>
    regions.some(r => at >= r.user && at + length <= r.user + r.size)
  if (
    !inside(ring.descriptors, descriptors) ||
    !inside(ring.available, available) ||
    !inside(ring.used, used)
  )
    return 'vq_addr'
  // A used ring that overwrites descriptors or heads can't work; other overlaps only harm the guest itself.
  if (
    overlaps(ring.descriptors, descriptors, ring.used, used) ||
    overlaps(ring.available, available, ring.used, used)
  )
    return 'vq_addr'
  return undefined
}
