// The time by which operators hold packets. A scheduler's `now()` is all that rxjs has, and that of the real ones is the
// wall clock, which can be set back and has whole milliseconds. It knows no packets.
import type { SchedulerLike } from 'rxjs'

/** A scheduler whose time is this near to the wall clock's goes by it. Virtual time begins at zero. */
const SAME_CLOCK_MS = 60_000

/** Times that were added up differ from the same ones that were multiplied by less than this, in milliseconds. */
export const ROUNDING_MS = 1e-6

/** Milliseconds that only rise: those of `scheduler`, or the monotonic clock's if it keeps the wall clock's time. */
export function clockOf(scheduler: SchedulerLike): () => number {
  const isWall = Math.abs(scheduler.now() - Date.now()) < SAME_CLOCK_MS
  return isWall ? () => performance.now() : () => scheduler.now()
}
