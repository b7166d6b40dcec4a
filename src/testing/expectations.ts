// What a marble test may expect: bursts, packets, leases, credit, the room of a ring, and what a guest received. A
// burst or packet is recorded as a snapshot when it is emitted, since it ends with its `next`.
import { map, type Observable } from 'rxjs'
import { VhostError } from '../errors.js'
import { Burst, HeldBurst } from '../packet/burst.js'
import { HeldPacket, Packet } from '../packet/packet.js'
import type { FromGuest, ToGuest } from './fake-queues.js'
import { numberOf } from './frames.js'
import { type Expectation, Recording } from './recording.js'
import type { VirtualTime } from './virtual-time.js'

/** What packets are recorded as. */
export interface SnapshotOptions {
  /**
   * What a packet is recorded as; called while it is valid, and may keep nothing of it but numbers and copies. Default:
   * the number of a frame made by `frame()`.
   */
  as?: (packet: Packet | HeldPacket) => unknown
}

/** Bursts, each as the list of its packets. A digit stands for a burst of the one frame with that number. */
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

/** Single packets. A digit stands for the frame with that number. */
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

/** A number as it is at the end of frame 0, and of each frame in which it has changed. */
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

/** What the guest behind a sink receives, a list of frames for each call of the ring. */
export function expectReceived(
  time: VirtualTime,
  { port }: ToGuest,
  as: (frame: Buffer) => unknown = numberOf,
): Expectation {
  const recording = new Recording(time, digit => [digit])
  port.onReceived = frames => recording.next(frames.map(frame => as(frame)))
  return recording
}

/** Packets that a queue may still have under lease. */
export function creditOf({ queue, credit }: FromGuest): number {
  return credit - queue.stats.held
}

/** The source for rxjs' own expectObservable. Refuses bursts and packets: rxjs compares them after they have ended. */
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
