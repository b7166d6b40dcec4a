// What the addon has for moving packets (native/addon/queues.cc). Types; src/addon/native.ts joins them.

/** Queues move packets. The result bits of dequeue and enqueue are in src/data/ring/port.ts. */
export interface AddonQueues {
  queueOpen(device: number, ring: number, account: number): number
  queueClose(handle: number): void
  /** Reports the ring's kicks under `tag`, also when it gets another kick fd later. Returns 0 or a negative reason. */
  queueWatch(handle: number, tag: number): number
  queueUnwatch(handle: number): void
  /** `at`: index of the first word of the exchange that slot ids are written to. enqueue() reads them from there. */
  dequeue(handle: number, max: number, at: number): number
  enqueue(handle: number, count: number, at: number): number
  /** 0 = a kick will come, 1 = there is work already: do not sleep, 2 = the ring has no kick fd: poll it. */
  arm(handle: number): number
  suppress(handle: number): void
  /** Spins until the guest makes a buffer available, two microseconds at most, and dequeues. */
  spinWait(handle: number, max: number, at: number): number
  /** Nanoseconds that this env has spent spinning. */
  spinWaited(): number
  queueFault(handle: number): number
  /** Whether the ring reads as zeros, as if nobody had ever written it. */
  queueReadsZero(handle: number): boolean
  /**
   * The counters of the handle and of the others in its block, in native memory (src/data/ring/queue-counters.ts): pairs of
   * words, in the order of RING_COUNTERS (src/data/counters/counters.ts).
   */
  queueCounters(handle: number): Uint32Array | undefined
  /** Call this once per env. undefined at a second call, or without enough memory. */
  poolOpen(bytes: number): AddonPool | undefined
}

/** The shared memory of an env's pool; src/data/pool/arrays.ts describes it. */
export interface AddonPool {
  bytes: ArrayBuffer
  meta: Uint32Array
  freeSmall: Uint32Array
  freeLarge: Uint32Array
  cursors: Uint32Array
  accounts: Uint32Array
  exchange: Uint32Array
}
