// What operators know of a sink: an interface, so that they need no queue. Implemented by src/data/sink/sink.ts and by the
// test kit. Also the words for what may be dropped and why.
import type { Burst } from './burst.js'
import type { Packet } from './packet.js'

/**
 * What happens to packets that a ring has no room for. `block` keeps them and so stalls their source by its credit;
 * `drop-newest` and `drop-oldest` keep a bounded number; `strict` is an error.
 */
export type Overflow = 'block' | 'drop-newest' | 'drop-oldest' | 'strict'

/**
 * Why packets were dropped on this side of the ring; a ring's own reasons come from native/core/virtqueue. By sinks:
 * `overflow`, `not-ready`, `gone`, `no-device`. By operators, counted at the queue that the packet came from:
 * `pipeline-error` (a user's function threw at it), `dropped` (on request), `no-slot` (the pool had none for a copy),
 * `unsubscribed` (an operator that keeps packets for later was unsubscribed), and those of one operator: `rate-limit`,
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

/** Somewhere that packets can go: a device's or a driver's `toGuest()`. Also an Observer: `source.subscribe(sink)`. */
export interface PacketSink {
  /** For `subscribe(sink)`: takes the packets as `overflow` of the sink says. */
  next(item: Burst | Packet): void
  /** Takes what there is room for and retains or drops the rest. False: it did not fit, and `overflow` is `strict`. */
  accept(item: Burst | Packet, overflow: Overflow): boolean
  /** False: there is no ring that runs, and what it is given now is dropped. A sink that can not tell has no such member. */
  readonly available?: boolean
  /** Calls back once everything accepted so far has gone; returns what cancels that. */
  whenDrained(done: () => void): () => void
  /** A pipeline into the sink starts; returns what says that it ended. */
  use(): () => void
}
