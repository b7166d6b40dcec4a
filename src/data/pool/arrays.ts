// The layout of the pool's shared arrays (native/core/net/pool.h and limits.h), and plain ones for tests and for
// `rx-vhost/testing`, which load no addon.
import type { AddonPool } from '../../addon/native.js'

/** The addon's, or plain ones. */
export type PoolArrays = AddonPool

// bytes      all slots: the small ones, then the large ones
// meta       SLOT_WORDS words per slot (src/packet/packet.ts)
// free…      the free lists: rings of slot ids, first in first out, a power of two long
// accounts   ACCOUNT_WORDS words per account; account 0 pays for what belongs to no queue
// exchange   where slot ids cross to the addon and back: MAX_BURST words to copy through, then the lists of bursts

// A free list goes round first in, first out, so that a late use of a packet is noticed for long; but over no more slots
// than one slab, which stay in the processor's cache. Those beyond are parked, last in, first out: each names the next in
// its SLOT_OFFSET.
//
// cursors; of each pair the first is for small slots. HEAD and TAIL are free-running, and 2 words apart per class.
export const HEAD = 0
export const TAIL = 1
export const GROWN = 4
export const SLOTS = 6
export const RESERVED = 8
/** The slot that was parked last, plus 1, and how many are. */
export const PARKED = 10
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
/** Packets of one native call at most. */
export const MAX_BURST = 256
/** Words of a plain exchange: few lists, so that tests meet bursts with and without. */
const PLAIN_EXCHANGE = MAX_BURST + 16 * 64

/** Arrays as the addon's poolOpen makes them, half of `bytes` for each class of slots. */
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
