// What the addon has for changes of a device's memory (native/addon/memory_changes.cc). Types; src/addon/native.ts joins them.

/** Native threads carry out changes; used through src/device/memory-changes.ts. */
export interface AddonMemory {
  /** Reports results under `tag`. Returns 0 or a negative errno. */
  memoryOpen(tag: number): number
  /**
   * `kind`: 0 = set the table, 1 = add a region, 2 = remove a region, 3 = set the dirty log. `regions`: guest address, size,
   * user address and mmap offset of each; a log has only size and offset. Returns a negative reason, or 0 if a result will
   * come.
   */
  memoryChange(device: number, kind: number, regions: BigUint64Array, tokens: Uint32Array): number
  /**
   * Returns the next device whose change is done, or 0. Fills `result` with the number of its regions that are in files on a
   * disk, or a negative reason; then with the number of rings that stopped, and their indices.
   */
  memoryNext(result: Int32Array): number
  /** Why a page of guest memory was missing: 0 = not known, 1 = the file was truncated, 2 = the system had no page,
   * 3 = the machine's memory failed. */
  deviceLoss(device: number): number
  /** 1 = a page of the current memory or of its log was found missing; 0 = none was. */
  deviceRevoked(device: number): number
}
