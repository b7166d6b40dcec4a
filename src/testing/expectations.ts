// The expectations of marble tests: bursts, packets, leases, credit, the room of a ring, and the frames that a guest
// received. A burst or packet is recorded as a snapshot when it is emitted, because it ends with its `next`.
import { map, type Observable } from 'rxjs'
import { VhostError } from '../errors.js'
import { Burst, HeldBurst } from '../packet/burst.js'
import { HeldPacket, Packet } from '../packet/packet.js'
import type { FromGuest, ToGuest } from './fake-queues.js'
import { numberOf } from './frames.js'
import { type Expectation, Recording } from './recording.js'
import type { VirtualTime } from './virtual-time.js'

/** How packets are recorded. */
export interface SnapshotOptions {
  /**
   * Returns the recorded form of a packet. It is called while the packet is valid, and may store only numbers and
   * copies of it. Default: the number of a frame made by `frame()`.
   */
  as?: (packet: Packet | HeldPacket) => unknown
}

/** Expects bursts, each as the list of its packets. A digit stands for a burst of one frame with that number. */
export function expectBursts(
  time: VirtualTime,
  source: Observable<Burst | HeldBurst>,
  subscription: string | null,
  { as = numberOf }: SnapshotOptions,
): Expectation {
  const recording = new Recording(time, digit => [digit])
  recording.follow(source, subscription, burst => Array.from(burst, packet => as(packet)))
  return recording
}

/** Expects single packets. A digit stands for the frame with that number. */
export function expectPackets(
  time: VirtualTime,
  source: Observable<Packet | HeldPacket>,
  subscription: string | null,
  { as = numberOf }: SnapshotOptions,
): Expectation {
  const recording = new Recording(time)
  recording.follow(source, subscription, packet => as(packet))
  return recording
}

/** Expects the value of a number at the end of frame 0, and of each frame in which it has changed. */
export function expectLevel(time: VirtualTime, read: () => number): Expectation {
  const recording = new Recording(time)
  let last: number | undefined
  time.atEndOfFrame(() => {
    const level = read()
    if (level !== last) recording.next(level)
    last = level
  })
  return recording
}

/** Expects the frames that the guest behind a sink receives, as a list for each call of the ring. */
export function expectReceived(
  time: VirtualTime,
  { port }: ToGuest,
  as: (frame: Buffer) => unknown = numberOf,
): Expectation {
  const recording = new Recording(time, digit => [digit])
  port.onReceived = frames => recording.next(frames.map(frame => as(frame)))
  return recording
}

/** Returns how many more packets a queue may have under lease. */
export function creditOf({ queue, credit }: FromGuest): number {
  return credit - queue.stats.held
}

/**
 * Returns a source for rxjs' own expectObservable. It throws for bursts and packets, which would end before rxjs
 * compares them.
 */
export function refuseLeases<T>(time: VirtualTime, source: Observable<T>): Observable<T> {
  return source.pipe(
    map(value => {
      const what = [Burst, HeldBurst, Packet, HeldPacket].find(kind => value instanceof kind)
      if (what === undefined) return value
      const form = what === Burst || what === HeldBurst ? 'expectBursts' : 'expectPackets'
      time.refusal ??= new VhostError(
        'ERR_VHOST_INVALID_ARGUMENT',
        `expectObservable compares when the test is over, and a ${what.name} has ended by then`,
        { fix: `use ${form}(…), which records a snapshot of it when it is emitted` },
      )
      throw time.refusal
    }),
  )
}
