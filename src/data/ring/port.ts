// What a queue needs of a ring: a few calls that move slot ids. The real one is ring-port.ts, the test kit has one
// without an addon. Nothing above this file knows which it has.
import type { Counters } from '../counters/counters.js'

// Bits of what dequeue and enqueue return (native/core/net/burst.h).
/** Packets moved. */
export const COUNT = 0xffff
/** dequeue: there is more; enqueue: stopped for lack of buffers. */
export const MORE = 1 << 16
/** The ring is latched for a guest's fault. */
export const FAULT = 1 << 17
/** The ring is not running. */
export const STOPPED = 1 << 18
/** The pool has nothing for this account. */
export const NO_SLOT = 1 << 19
/** The account's limit is reached. */
export const CREDIT = 1 << 20

/** Told to the queue that opened a port. None may call back into the port synchronously. */
export interface PortEvents {
  /** The guest kicked. */
  kick(): void
  /** No kick came, since none can: look whether there is something. */
  wake(): void
  /** `running` has changed. */
  state(): void
}

export interface QueuePort {
  /** Where slot ids cross: dequeue writes, enqueue reads. Shared by all ports of an env; core-store.ts shares it out. */
  readonly exchange: Uint32Array
  /** Does the ring run? */
  readonly running: boolean
  /** The queue takes the port; what is dequeued is charged to `account`; 0 if nothing is. */
  open(account: number, events: PortEvents): void
  close(): void
  /** Moves up to `max` packets out of the guest, their ids to `at` of the exchange; result bits. */
  dequeue(max: number, at: number): number
  /** Moves the `count` slots at `at` of the exchange to the guest, in order; result bits. References stay the caller's. */
  enqueue(count: number, at: number): number
  /** Asks for the guest's next kick. True: there is something already, so do not sleep. */
  arm(): boolean
  /** Waits for the guest to show something, two microseconds at most, and dequeues. */
  linger(max: number, at: number): number
  /** Asks the guest not to kick. */
  suppress(): void
  /** Deaf to the guest's kicks, for a guest that kicks without work. */
  mute(on: boolean): void
  /** Adds what this port's calls counted so far. */
  count(sums: Counters): void
  /** Rises, and wraps, with each call that told the guest of its packets. */
  readonly notifications: number
}
