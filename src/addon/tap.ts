// What the addon has for TAP interfaces (native/addon/tap.cc). Types only; src/addon/native.ts joins them.

/** TAP interfaces; used through src/tap. Negative results are errnos, result bits those of dequeue and enqueue. */
export interface AddonTap {
  /** Returns a handle. Takes over `fd` if that is 0 or more. */
  tapOpen(name: string, fd: number): number
  tapClose(tap: number): void
  tapName(tap: number): string
  /** An `mtu` of 0 leaves the MTU as it is. */
  tapSetUp(tap: number, mtu: number, persist: boolean, up: boolean): number
  /** `features` are those of the guest that gets packets from here. */
  tapOffloads(tap: number, features: bigint): number
  tapRead(tap: number, max: number, at: number, account: number): number
  tapWrite(tap: number, count: number, at: number): number
  /** Reports readable frames under `tag` until tapSuppress(), also those that are there already. */
  tapArm(tap: number, tag: number): number
  tapSuppress(tap: number): void
  /** The errno that ended the interface, as a positive number. */
  tapError(tap: number): number
  /** The counters of that direction, in native memory that outlives the handle: pairs of words in the order of RING_COUNTERS. */
  tapCounters(tap: number, toHost: boolean): Uint32Array | undefined
}
