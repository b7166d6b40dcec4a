// The guest's memory as the messages describe it: regions, the rings' user addresses, and the fds. The addresses are
// invented. Guest-physical and user addresses differ, so that a back end that confuses them fails.

import { LAYOUT_FIELDS } from '../addon/guest.js'
import { errnoName, native } from '../addon/native.js'
import { LAYOUTS, type ResolvedOptions } from './options.js'
import { RINGS, type SharedMemory } from './session.js'

const USER_ADDRESS = 0x7e00_0000_0000n
const PAGE = 4096
const FIELDS_A_RING = 8
const [DESCRIPTORS, AVAILABLE, USED, , , BUFFERS] = [0, 1, 2, 3, 4, 5]

/** A native guest with memory for all of its pairs; its handle is the first pair's. */
export function createGuest(options: ResolvedOptions): number {
  const { queueSize, layout, segments, receiveBuffer, transmitBuffer, autoPost, pairs } = options
  const config = [
    queueSize,
    LAYOUTS.indexOf(layout),
    segments,
    receiveBuffer,
    transmitBuffer,
    Number(autoPost),
    pairs,
  ]
  const handle = native().guestCreate(Uint32Array.from(config))
  if (handle < 0) throw new RangeError(`the guest can't be made with these options (${errnoName(handle)})`)
  return handle
}

/** Returns the used index of each ring, as the back end wrote it. */
export function usedIndices(handle: number, shared: SharedMemory): number[] {
  return shared.rings.map(({ usedAt }) => {
    const index = new Uint16Array(1)
    native().guestRead(handle, usedAt + 2, new Uint8Array(index.buffer))
    return index[0]
  })
}

/** Describes the memory of the pairs with these handles. The caller owns the fd tokens and closes them. */
export function shareMemory(
  handles: readonly number[],
  { regions, slots, queueSize }: ResolvedOptions,
): SharedMemory {
  const layouts = handles.map(handle => {
    const layout = new Float64Array(LAYOUT_FIELDS)
    native().guestLayout(handle, layout)
    return layout
  })
  const [size, guestAddress] = layouts[0]
  const field = (pair: number, ring: number, which: number) => layouts[pair][2 + ring * FIELDS_A_RING + which]
  return {
    token: native().guestMemoryToken(handles[0]),
    regions: cut(size, field(0, 0, BUFFERS), regions).map(([offset, length]) => ({
      guestAddress: BigInt(guestAddress + offset),
      size: BigInt(length),
      userAddress: USER_ADDRESS + BigInt(offset),
      offset: BigInt(offset),
    })),
    slots,
    rings: handles.flatMap((handle, pair) =>
      RINGS.map(ring => {
        const at = (which: number) => USER_ADDRESS + BigInt(field(pair, ring, which))
        return {
          size: queueSize,
          log: BigInt(guestAddress + field(pair, ring, USED)),
          addresses: { descriptors: at(DESCRIPTORS), used: at(USED), available: at(AVAILABLE) },
          usedAt: field(pair, ring, USED),
          kick: native().guestRingToken(handle, ring, 0),
          call: native().guestRingToken(handle, ring, 1),
        }
      }),
    ),
  }
}

/**
 * Splits the memory into `count` regions (offset and length). It cuts only within the buffers, because a ring must lie
 * in one region.
 */
function cut(size: number, buffers: number, count: number): [number, number][] {
  const part = Math.floor((size - buffers) / count / PAGE) * PAGE
  const starts = Array.from({ length: count }, (_, n) => (n === 0 ? 0 : buffers + n * part))
  return starts.map((start, n) => [start, (starts[n + 1] ?? size) - start])
}
