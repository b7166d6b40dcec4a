// The layout of a slot's metadata (shared with native/core/net/pool.h), and what packets and bursts need of the pool that
// the slots are in. Implemented by src/data/pool/pool.ts.
import type { BurstCore } from './burst-core.js'
import type { Packet } from './packet.js'

/** Words of metadata per slot, and what each is. */
export const SLOT_WORDS = 8
/** `slot << SLOT_SHIFT` is where a slot's metadata begin: an integer to the compiler, which a product need not be. */
export const SLOT_SHIFT = 3
export const SLOT_OFFSET = 0
export const SLOT_LENGTH = 1
export const SLOT_REFERENCES = 3
export const SLOT_ACCOUNT = 4
export const SLOT_HEADER = 5

/** alloc: the class of slots is empty, but for other accounts' reserves. */
export const NO_SLOT = -1

/** Where bursts get their lists of slot ids from (src/data/pool/core-store.ts). */
export interface CoreStore {
  /** An empty core for `capacity` packets. */
  take(capacity: number): BurstCore
  /** The core's burst has ended. */
  give(core: BurstCore): void
}

/** What a packet needs of the pool (src/data/pool/pool.ts). */
export interface Slots {
  readonly meta: Uint32Array
  readonly bytes: Buffer
  /** The same bytes: reads in network byte order are one load. */
  readonly view: DataView
  /** RX_VHOST_LEASES=strict: fresh packet objects, so that every late use throws. */
  readonly strict: boolean
  /** One borrowed packet per slot, made on first use. */
  readonly packets: (Packet | undefined)[]
  /** Cores of ended leases, for the next ones. */
  readonly cores: CoreStore
  /** In debug and strict mode: who holds leases. */
  readonly holders: Map<object, string> | null
  /** The account of the queue that the packet came from, whoever pays for it now. */
  home(slot: number): number
  retain(slot: number): void
  release(slot: number): void
  /** A slot for `length` bytes with one reference, header zero, bytes as they were; or NO_SLOT. */
  alloc(length: number, account: number): number
  /** Moves the bounds of the frame within its slot; false if they are outside. */
  resize(slot: number, offset: number, length: number): boolean
  /** Counts that an operator dropped packets of the queue that this one came from. */
  dropped(slot: number, reason: string, count?: number): void
  /** Of `ids`, from `from` on, before `to`. */
  releaseAll(ids: Uint32Array, from: number, to: number): void
}
