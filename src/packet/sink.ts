// The interface between operators and sinks, and the public words for overflow and for the reasons of drops.
// src/data/sink/sink.ts and the test kit implement it.
import type { Burst } from './burst.js'
import type { Packet } from './packet.js'

/**
 * What a sink does with packets for which its ring has no room. `block` queues them, which stalls their source by its
 * credit;
 * `drop-newest` and `drop-oldest` queue a bounded number; `strict` is an error.
 */
export type Overflow = 'block' | 'drop-newest' | 'drop-oldest' | 'strict'

/**
 * Why packets were dropped on this side of the ring; native code adds the reasons of the ring itself. By sinks: `overflow`,
 * `not-ready`, `gone`, `no-device`, `no-slot` (the pool had none for a frame of `sendFrame`). By operators, counted at
 * the queue that the packet came from: `pipeline-error` (a user's function threw), `dropped` (on request), `no-slot`
 * (the pool had none for a copy), `unsubscribed` (an operator that queues packets was unsubscribed), and those of a
 * single operator: `rate-limit`,
 * `ttl-expired` (`rewrite`), `impair-loss`, `impair-limit`.
 */
export type DropReason =
  | 'pipeline-error'
  | 'overflow'
  | 'not-ready'
  | 'gone'
  | 'no-device'
  | 'dropped'
  | 'no-slot'
  | 'unsubscribed'
  | 'rate-limit'
  | 'ttl-expired'
  | 'impair-loss'
  | 'impair-limit'

/** A destination of packets: a device's or a driver's `toGuest()`. Also an Observer: `source.subscribe(sink)`. */
export interface PacketSink {
  /** For `subscribe(sink)`: accepts packets with the sink's own `overflow`. */
  next(item: Burst | Packet): void
  /**
   * Enqueues the packets for which there is room, and retains or drops the rest. False if they do not fit and
   * `overflow` is
   * `strict`.
   */
  accept(item: Burst | Packet, overflow: Overflow): boolean
  /** False: no ring runs, and packets are dropped now. A sink that can't know this does not have the member. */
  readonly available?: boolean
  /** Calls `done` once all packets accepted so far have gone. Returns a function that cancels this. */
  whenDrained(done: () => void): () => void
  /** Call it when a pipeline into the sink starts. Returns a function to call when the pipeline has ended. */
  use(): () => void
  /**
   * Enqueues a frame that is in no pool, such as an announcement. If there is no room, the frame is queued or dropped as
   * by `drop-newest`. Never throws.
   */
  sendFrame?(frame: Uint8Array): void
  /** Calls `watcher` until the function that it returns is called. */
  watch?(watcher: StationWatcher): () => void
}

/** Learns from a sink what the front end reports about the guest behind it. Its methods must not throw. */
export interface StationWatcher {
  /** The guest has moved here and does not announce its address, such as `02:00:00:00:00:01`, itself (SEND_RARP). */
  moved(mac: string): void
  /** The device of the guest has gone. */
  gone(): void
}
