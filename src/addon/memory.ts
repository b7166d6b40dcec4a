// The addon's functions that change the memory of devices. native.ts has them among the others.

/** Carried out by threads of native code. Used through src/device/memory-changes.ts. */
export interface AddonMemory {
  /** Results are reported under this tag. Negative results are errnos. */
  memoryOpen(tag: number): number
  /**
   * `kind`: 0 a table, 1 a region more, 2 a region less, 3 the dirty log. `regions`: guest address, size, user address, mmap
   * offset of each; of a log the second and the last. A negative reason, or 0: then comes a result.
   */
  memoryChange(device: number, kind: number, regions: BigUint64Array, tokens: Uint32Array): number
  /**
   * The device whose change is done, 0 = none. `result`: how many of its regions lie in files on a disk, or a negative
   * reason; count of the rings that stopped; those.
   */
  memoryNext(result: Int32Array): number
  /** Why a page of its memory was missing: 0 = not known, 1 = the file was truncated, 2 = there was none to be had,
   * 3 = the machine's own memory failed under it. */
  deviceLoss(device: number): number
  /** 1 = a page of the memory in force, or of its log, was missing; 0 = not that anybody has noticed. */
  deviceRevoked(device: number): number
}
