// What the addon has for TAP interfaces (native/addon/tap.cc). Types only; src/addon/native.ts joins them.

/** TAP interfaces; used through src/tap. Negative results are errnos, result bits those of dequeue and enqueue. */
export interface AddonTap {
  /** A handle. With an `fd` of 0 or more, that one is taken over. */
  tapOpen(name: string, fd: number): number
  tapClose(tap: number): void
  tapName(tap: number): string
  /** An MTU of 0 is left as it is. */
  tapSetUp(tap: number, mtu: number, persist: boolean, up: boolean): number
  /** `features`: of the guest that gets what comes from here. */
  tapOffloads(tap: number, features: bigint): number
  tapRead(tap: number, max: number, at: number, account: number): number
  tapWrite(tap: number, count: number, at: number): number
  /** Frames are reported under `tag` until tapSuppress, also those that are there already. */
  tapArm(tap: number, tag: number): number
  tapSuppress(tap: number): void
  /** The errno that ended it, as a positive number. */
  tapError(tap: number): number
  /** What is counted in that direction, in native memory that outlives the handle: pairs of words, by RING_COUNTERS. */
  tapCounters(tap: number, toHost: boolean): Uint32Array | undefined
}
