// Where the counters of the addon's queues are: in blocks of native memory, each of which has those of several queues, since
// an array for each would take more memory than its counters. A queue's are zero when it is opened.
import { native } from '../../addon/native.js'
import { RING_COUNTERS } from '../counters/counters.js'

/** Queues of a block: kBlock in native/addon/queues.h, which test/layering.test.ts compares. */
export const QUEUES_A_BLOCK = 16

/** Of an open queue there is one. */
const blocks: (Uint32Array | undefined)[] = []

/** The block with the counters of the queue that was opened as `handle`. */
export function blockOf(handle: number): Uint32Array {
  const index = Math.floor(handle / QUEUES_A_BLOCK)
  blocks[index] ??= native().queueCounters(handle)
  return blocks[index] as Uint32Array
}

/** The first word of the queue's own. */
export const placeInBlock = (handle: number): number => (handle % QUEUES_A_BLOCK) * 2 * RING_COUNTERS.length
