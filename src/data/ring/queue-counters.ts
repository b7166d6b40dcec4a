// Finds the counters of a queue of the addon. They are in blocks of native memory that several queues share: a typed array for
// each queue would take more memory than the counters in it. The addon zeroes the counters of a queue when it opens it.
import { native } from '../../addon/native.js'
import { RING_COUNTERS } from '../counters/counters.js'

/** Queues in one block: kBlock in native/addon/queues.h, which test/layering.test.ts compares. */
export const QUEUES_A_BLOCK = 16

/** By index; each open queue has its block here. */
const blocks: (Uint32Array | undefined)[] = []

/** The block with the counters of the queue that was opened as `handle`. */
export function blockOf(handle: number): Uint32Array {
  const index = Math.floor(handle / QUEUES_A_BLOCK)
  blocks[index] ??= native().queueCounters(handle)
  return blocks[index] as Uint32Array
}

/** The index of the queue's first word in its block. */
export const placeInBlock = (handle: number): number => (handle % QUEUES_A_BLOCK) * 2 * RING_COUNTERS.length
