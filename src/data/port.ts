// What a queue needs of a ring: a few calls that move slot ids. The real one is ring-port.ts, the test kit has one
// without an addon. Nothing above this file knows which it has.

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

/** Above these bits: how many packets were dropped natively, each counted under its reason in `drops()`. */
export const DROP_SHIFT = 21

/** Told to the queue that opened a port. Neither may call back into the port synchronously. */
export interface PortEvents {
  /** The guest kicked. */
  kick(): void
  /** `running` has changed. */
  state(): void
}

export interface Moved {
  readonly packets: number
  readonly bytes: number
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
  /** Asks the guest not to kick. */
  suppress(): void
  /** Deaf to the guest's kicks, for a guest that kicks without work. */
  mute(on: boolean): void
  /** Packets and bytes that this port moved. */
  moved(): Moved
  /** Packets that this port's calls dropped natively, by reason. */
  drops(): Readonly<Record<string, number>>
}

/** What was moved before this port, and by it. */
export function addMoved(before: Moved, port: QueuePort | null): Moved {
  if (port === null) return before
  const { packets, bytes } = port.moved()
  return { packets: before.packets + packets, bytes: before.bytes + bytes }
}

/** What several queues moved. */
export function sumMoved(queues: Iterable<{ moved(): Moved }>): Moved {
  let [packets, bytes] = [0, 0]
  for (const queue of queues) {
    const moved = queue.moved()
    packets += moved.packets
    bytes += moved.bytes
  }
  return { packets, bytes }
}
