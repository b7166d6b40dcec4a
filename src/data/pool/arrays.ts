// The layout of the pool's shared arrays (native/core/net/pool.h and limits.h), and plain ones for tests and for
// `rx-vhost/testing`, which load no addon.
import type { AddonPool } from '../../addon/native.js'

/** The addon's arrays, or plain ones. */
export type PoolArrays = AddonPool

// bytes      all slots: the small ones, then the large ones
// meta       SLOT_WORDS words per slot (src/packet/packet.ts)
// free…      the free lists: rings of slot ids, first in first out, a power of two long
// accounts   ACCOUNT_WORDS words per account; account 0 is charged for packets that belong to no queue
// exchange   slot ids on their way to the addon and back: MAX_BURST words to copy through, then the lists of bursts

// A free list is first in, first out, so that a late use of a packet can be detected for a long time; but it has at most one
// slab of slots, which stay in the processor's cache. Slots beyond that are parked, last in, first out: the SLOT_OFFSET of
// each has the next one.
//
// Indices in cursors. Of each pair, the first is for small slots. HEAD and TAIL are free-running, 2 words apart per class.
export const HEAD = 0
export const TAIL = 1
export const GROWN = 4
export const SLOTS = 6
export const RESERVED = 8
/** The slot that was parked last, plus 1. */
export const PARKED = 10
/** How many slots are parked. */
export const PARKED_COUNT = 12
const CURSOR_WORDS = 16

export const ACCOUNT_WORDS = 16
export const ACCOUNT_PACKETS = 0
export const ACCOUNT_BYTES = 1
export const ACCOUNT_PACKET_LIMIT = 2
export const ACCOUNT_BYTE_LIMIT = 3
export const ACCOUNT_SMALL = 4
export const ACCOUNT_LARGE = 5
export const ACCOUNT_RESERVE = 6
export const ACCOUNT_WANTED = 8

export const SMALL_SLOT = 2048 + 64
export const LARGE_SLOT = 65536 + 2048
export const HEADROOM = 128
export const SMALL_SLAB = 256
export const LARGE_SLAB = 8
/** Packets that one native call moves at most. */
export const MAX_BURST = 256
/** Words of a plain exchange. It has few lists, so that tests also have bursts without a list in it. */
const PLAIN_EXCHANGE = MAX_BURST + 16 * 64

/** Arrays as the addon's poolOpen() makes them, with half of `bytes` for each class of slots. */
export function plainPoolArrays(bytes = 4 << 20, maxAccounts = 256): PoolArrays {
  const small = Math.max(SMALL_SLAB, Math.floor(bytes / 2 / SMALL_SLOT))
  const large = Math.max(LARGE_SLAB, Math.floor(bytes / 2 / LARGE_SLOT))
  const cursors = new Uint32Array(CURSOR_WORDS)
  cursors[SLOTS] = small
  cursors[SLOTS + 1] = large
  return {
    bytes: new ArrayBuffer(small * SMALL_SLOT + large * LARGE_SLOT),
    meta: new Uint32Array((small + large) * 8),
    freeSmall: new Uint32Array(powerOfTwo(small)),
    freeLarge: new Uint32Array(powerOfTwo(large)),
    cursors,
    accounts: new Uint32Array(maxAccounts * ACCOUNT_WORDS),
    exchange: new Uint32Array(PLAIN_EXCHANGE),
  }
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast))
}
