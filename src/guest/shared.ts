// The guest's memory as messages name it: regions, the rings' user addresses, and the fds that travel. Addresses are
// made up: a guest-physical one and a user one that differ, so that a back end which mixes them up is found out.
import { native } from '../native.js'
import { LAYOUT_FIELDS } from './native-guest.js'
import type { ResolvedOptions } from './options.js'
import { RINGS, type SharedMemory } from './session.js'

const USER_ADDRESS = 0x7e00_0000_0000n
const PAGE = 4096
const FIELDS_A_RING = 8
const [DESCRIPTORS, AVAILABLE, USED, , , BUFFERS] = [0, 1, 2, 3, 4, 5]

/** Fds are tokens of the caller's, who closes them. */
export function shareMemory(handle: number, { regions, slots, queueSize }: ResolvedOptions): SharedMemory {
  const layout = new Float64Array(LAYOUT_FIELDS)
  native().guestLayout(handle, layout)
  const [size, guestAddress] = layout
  const field = (ring: number, which: number) => layout[2 + ring * FIELDS_A_RING + which]
  const userAddress = (ring: number, which: number) => USER_ADDRESS + BigInt(field(ring, which))
  return {
    token: native().guestMemoryToken(handle),
    regions: cut(size, field(0, BUFFERS), regions).map(([offset, length]) => ({
      guestAddress: BigInt(guestAddress + offset),
      size: BigInt(length),
      userAddress: USER_ADDRESS + BigInt(offset),
      offset: BigInt(offset),
    })),
    slots,
    rings: RINGS.map(ring => ({
      size: queueSize,
      log: BigInt(guestAddress + field(ring, USED)),
      addresses: {
        descriptors: userAddress(ring, DESCRIPTORS),
        used: userAddress(ring, USED),
        available: userAddress(ring, AVAILABLE),
      },
      kick: native().guestRingToken(handle, ring, 0),
      call: native().guestRingToken(handle, ring, 1),
    })),
  }
}

/** The memory in `count` regions, cut within the buffers only: a ring lies in one region (offset and length each). */
function cut(size: number, buffers: number, count: number): [number, number][] {
  const part = Math.floor((size - buffers) / count / PAGE) * PAGE
  const starts = Array.from({ length: count }, (_, n) => (n === 0 ? 0 : buffers + n * part))
  return starts.map((start, n) => [start, (starts[n + 1] ?? size) - start])
}
