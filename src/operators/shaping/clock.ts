// The clock of the operators that delay packets. rxjs has the `now()` of a scheduler; for its real schedulers that is the
// wall clock, which can be set back and counts whole milliseconds.
import type { SchedulerLike } from 'rxjs'

/** A scheduler whose time is this near to the wall clock uses the wall clock. Virtual time begins at zero. */
const SAME_CLOCK_MS = 60_000

/** Milliseconds; rounding errors of times that were added up stay below it. */
export const ROUNDING_MS = 1e-6

/** A clock in milliseconds: that of `scheduler`, or the monotonic clock if the scheduler uses the wall clock. */
export function clockOf(scheduler: SchedulerLike): () => number {
  const isWall = Math.abs(scheduler.now() - Date.now()) < SAME_CLOCK_MS
  return isWall ? () => performance.now() : () => scheduler.now()
}
