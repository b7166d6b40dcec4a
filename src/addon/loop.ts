// What the addon has for the event loop: watched fds, turns and the clock (native/addon/wakeup.cc). Types; src/addon/native.ts
// joins them.
import type { FdToken } from './sockets.js'

/** The epoll of this env; used through src/addon/wakeup.ts. Negative results are errnos. */
export interface AddonWakeup {
  wakeupOpen(ready: Uint32Array, onReady: (pairs: number) => void): number
  /** Whether the epoll keeps the event loop alive. */
  wakeupHold(on: boolean): void
  /** Runs `onTurn` in a later turn of the event loop when flags[0] is set. While flags[1] is 0, call wakeupAskTurn() as well. */
  wakeupTurns(flags: Uint32Array, clock: Float64Array, onTurn: () => void): number
  wakeupAskTurn(): void
  /** Writes the time in milliseconds to clock[0]. */
  readClock(): void
  /** 0 = readable, 1 = readable (edge), 2 = readable or writable, 3 = writable, 4 = hang-up only. */
  watch(token: FdToken, tag: number, mode: number): number
  unwatch(token: FdToken): void
}
