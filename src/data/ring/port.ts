// The interface between a queue and its ring: a few calls that move slot ids. ring-port.ts implements it for rings of a
// guest, src/tap for TAP interfaces, src/capture for files, src/testing for tests.
import type { CounterSource } from '../counters/counters.js'
import type { Share } from '../turn/task.js'

// Bits of what dequeue and enqueue return (native/core/net/burst.h).
/** Packets moved. */
export const COUNT = 0xffff
/** dequeue: there is more. enqueue: the ring has no more buffers. */
export const MORE = 1 << 16
/** The ring is latched for a guest's fault. */
export const FAULT = 1 << 17
/** The ring is not running. */
export const STOPPED = 1 << 18
/** The pool has no slot for this account. */
export const NO_SLOT = 1 << 19
/** The account's limit is reached. */
export const CREDIT = 1 << 20

/** The events of a port, for the queue that opened it. The queue must not call the port during these calls. */
export interface PortEvents {
  /** The guest kicked. */
  kick(): void
  /** The queue must look at the ring, because no kick may come for packets that are there. */
  wake(): void
  /** `running` has changed. */
  state(): void
}

export interface QueuePort extends CounterSource {
  /**
   * The memory for slot ids: dequeue writes them, enqueue reads them. All ports of an env share it
   * (pool/core-store.ts).
   */
  readonly exchange: Uint32Array
  /** Whether the ring runs. */
  readonly running: boolean
  /** The share of the device whose time the queue uses. Default: a share for this queue alone. */
  readonly share?: Share
  /** The queue takes the port. Dequeued packets are charged to `account`; a sink passes 0. */
  open(account: number, events: PortEvents): void
  close(): void
  /**
   * Moves up to `max` packets out of the guest and writes their ids from `at` of the exchange on; returns result bits.
   */
  dequeue(max: number, at: number): number
  /**
   * Copies the `count` slots at `at` of the exchange into the guest, in order; returns result bits. Releases no lease.
   */
  enqueue(count: number, at: number): number
  /** Asks for the guest's next kick. Returns true if there is work already, so that the queue must not sleep. */
  arm(): boolean
  /**
   * dequeue() that first spins on the ring, for two microseconds at most, until the guest has made something available.
   */
  spinDequeue(max: number, at: number): number
  /** Asks the guest not to kick. */
  suppress(): void
  /** Ignores the guest's kicks, or stops ignoring them. For a guest that kicks without work. */
  mute(on: boolean): void
  /** Rises by one, and wraps, with each notification (call) to the guest. */
  readonly notifications: number
  /** Rises by the descriptors of each chain that is more than one plain buffer, and wraps. */
  readonly walked: number
}
