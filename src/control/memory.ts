// Checks whether a memory table can be mapped. Native code checks it again; a refusal here needs no system call and
// changes nothing. (vhost-user "Memory region description".)
import type { MemoryRegion } from './events.js'
import type { Refusal } from './refusals.js'

/** The protocol's limit for SET_MEM_TABLE, which is also the number of fds in a message. */
export const MAX_REGIONS = 8
/** Regions of a device: the limit of native code (native/core/base/limits.h). */
export const MAX_SLOTS = 509
export const TOP = 1n << 64n

export const overlaps = (a: bigint, sizeA: bigint, b: bigint, sizeB: bigint): boolean =>
  a < b + sizeB && b < a + sizeA

/** Two regions with the same address would make a translation ambiguous. */
export const touches = (a: MemoryRegion, b: MemoryRegion): boolean =>
  overlaps(a.guest, a.size, b.guest, b.size) || overlaps(a.user, a.size, b.user, b.size)

/** The reason why a region can't be added to these, or undefined. */
export function regionFault(regions: readonly MemoryRegion[], region: MemoryRegion): Refusal | undefined {
  const { guest, size, user, offset } = region
  // A region may end at 2^64. BigInt sums do not wrap.
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
