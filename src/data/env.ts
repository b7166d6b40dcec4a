// Makes what all queues of this env share, at first use: the pool, the scheduler and the turn. Each env has its own pool, since
// only one thread may own a slot; other threads get copies.

import { native } from '../addon/native.js'
import { openTurns } from '../addon/wakeup.js'
import { VhostError } from '../errors.js'
import type { DataPlane } from './plane.js'
import { Pool } from './pool/pool.js'
import { Scheduler } from './turn/scheduler.js'
import { Turn } from './turn/turn.js'

/** Bytes of address space for the pool: room for 16,000 frames of the usual MTU. Memory is used as packets are in flight. */
export const POOL_BYTES = 64 << 20

let plane: DataPlane | undefined
let poolBytes = POOL_BYTES

/**
 * Sets the size of this thread's packet pool in bytes, from 1 MiB to 2 GiB. The size is address space: memory is used as
 * packets are in flight. Default 64 MiB.
 *
 * @throws VhostError `ERR_VHOST_INVALID_ARGUMENT` once this thread has made its first queue.
 * @throws RangeError if `bytes` is out of that range.
 */
export function configurePool({ bytes }: { bytes: number }): void {
  if (plane !== undefined)
    throw new VhostError('ERR_VHOST_INVALID_ARGUMENT', 'the pool is in use', {
      fix: 'call configurePool() before the first device connects',
    })
  if (!(bytes >= 1 << 20 && bytes < 2 ** 31))
    throw new RangeError('pool bytes must be between 1 MiB and 2 GiB')
  poolBytes = bytes
}

/**
 * What the queues of this env share.
 *
 * @throws VhostError `ERR_VHOST_POOL_EXHAUSTED` if there is no address space for the pool.
 */
export function dataPlane(): DataPlane {
  if (plane !== undefined) return plane
  const arrays = native().poolOpen(poolBytes)
  if (arrays === undefined)
    throw new VhostError('ERR_VHOST_POOL_EXHAUSTED', 'the packet pool could not be made', {
      fix: `allow this process ${poolBytes >> 20} MiB of address space, or configurePool({ bytes })`,
    })
  let run = (): void => {}
  const turns = openTurns(() => run())
  const scheduler = new Scheduler({
    now: turns.now,
    defer: turn => {
      run = turn
      turns.later()
    },
  })
  plane = { pool: new Pool(arrays), scheduler, turn: new Turn() }
  return plane
}
