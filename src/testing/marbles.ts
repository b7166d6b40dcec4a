// marbles(): tests of pipelines in virtual time, without a guest, an addon or a wait. rxjs' TestScheduler.run with
// queues, sinks and devices on rings in memory, strict leases, and expectations for leases. For any test
// runner and any assertion library; docs/testing.md shows it.
import assert from 'node:assert/strict'
import type { Observable } from 'rxjs'
import type { RunHelpers } from 'rxjs/testing'
import type { DataPlane } from '../data/plane.js'
import type { SinkOptions } from '../data/sink/sink.js'
import type { SourceOptions } from '../data/source/options.js'
import type { Burst, HeldBurst } from '../packet/burst.js'
import type { HeldPacket, Packet } from '../packet/packet.js'
import {
  creditOf,
  expectBursts,
  expectLevel,
  expectPackets,
  expectReceived,
  refuseLeases,
  type SnapshotOptions,
} from './expectations.js'
import { FakeDevice, type FakeDeviceOptions } from './fake-device.js'
import type { FakePortOptions } from './fake-port.js'
import { type FromGuest, fakeFromGuest, fakeToGuest, type ToGuest, virtualPlane } from './fake-queues.js'
import type { Expectation } from './recording.js'
import { type MarbleValues, marbleValues } from './recording.js'
import { play, Traffic } from './traffic.js'
import { VirtualTime } from './virtual-time.js'

/** The option that says how a queue is watched is fixed: virtual time stands still while a queue polls. */
export type FakeQueueOptions = Omit<SourceOptions, 'poll'> & FakePortOptions

/** What a marble test is written with. */
export interface MarbleHelpers extends RunHelpers {
  /** What all queues of this test share: its pool counts the leases. */
  readonly plane: DataPlane
  /** The virtual time in which all rings run; `schedule(run, ms)` runs a function of your own in it. */
  readonly clock: VirtualTime
  /**
   * A from-guest queue. `traffic` says when its guest sends: a digit is so many numbered frames (the first is number
   * 0), another character what `frames` has for it; `|` ends the queue, once its ring is empty.
   */
  fakeQueue(traffic?: string, options?: FakeQueueOptions & { frames?: MarbleValues }): FromGuest
  /**
   * A to-guest queue whose ring has no room at first. `room` says when its guest posts buffers, and how many: a digit,
   * or what `posts` has for another character; `|` ends the sink.
   */
  fakeSink(room?: string, options?: SinkOptions & FakePortOptions & { posts?: MarbleValues }): ToGuest
  /**
   * A device with a queue and a sink. `life` says when it starts (`r`), stops (`s`) and leaves (`|`); without, it
   * runs from the start.
   */
  fakeDevice(
    marbles?: { traffic?: string; room?: string; life?: string },
    options?: FakeDeviceOptions & { frames?: MarbleValues; posts?: MarbleValues },
  ): FakeDevice
  /** Bursts, each as the list of its packets: `expectBursts(…).toBe('--a', { a: [0, 1] })`. */
  expectBursts(
    source: Observable<Burst | HeldBurst>,
    subscription?: string | null,
    options?: SnapshotOptions,
  ): Expectation
  /** Single packets: `expectPackets(…).toBe('--(01)')`. */
  expectPackets(
    source: Observable<Packet | HeldPacket>,
    subscription?: string | null,
    options?: SnapshotOptions,
  ): Expectation
  /** Packets under lease at the end of each frame in which that changed: of a queue, or of all. */
  expectLeases(of?: FromGuest): Expectation
  /** Packets that a queue may still have under lease. */
  expectCredit(of: FromGuest): Expectation
  /** Buffers that a sink's guest has posted and that are not used. */
  expectRoom(of: ToGuest): Expectation
  /** Packets that a sink has queued because the ring has no room. */
  expectKept(of: ToGuest): Expectation
  /** What a sink's guest receives, a list of frames for each call of the ring. */
  expectReceived(by: ToGuest, as?: (frame: Buffer) => unknown): Expectation
}

/** Options of a marble test. */
export interface MarbleOptions {
  /** Compares, and throws when the two differ: ava's `t.deepEqual`, chai's `assert.deepEqual`. Default node:assert. */
  equal?: (actual: unknown, expected: unknown) => unknown
  /** Virtual time ends here, so that a pipeline with an endless timer does too. Default 10,000 (ms). */
  maxFrames?: number
}

/**
 * Runs `body` in virtual time and checks what it expects, once nothing is left to happen. Synchronous: no promise
 * resolves in it, so use `timer()` for what is asynchronous in your application.
 */
export function marbles(
  body: (helpers: MarbleHelpers) => void,
  { equal = assert.deepStrictEqual, maxFrames = 10_000 }: MarbleOptions = {},
): void {
  const time = new VirtualTime(equal)
  try {
    time.run(helpers => {
      time.maxFrames = maxFrames
      const returned: unknown = body(helpersOf(time, helpers))
      if (returned instanceof Promise) {
        returned.catch(() => {})
        throw new TypeError('marbles() takes a function that is not async: virtual time waits for no promise')
      }
      time.flush()
      time.end()
    })
  } finally {
    time.end()
  }
}

function helpersOf(time: VirtualTime, helpers: RunHelpers): MarbleHelpers {
  const plane = virtualPlane(time)
  return {
    ...helpers,
    clock: time,
    plane,
    expectObservable: (source, subscription) =>
      helpers.expectObservable(refuseLeases(time, source), subscription),
    fakeQueue(traffic = '', { frames, ...options } = {}) {
      const made = fakeFromGuest(plane, { ...options, poll: 'interrupt' })
      new Traffic(frames).play(time, traffic, made.port, () => made.source.close())
      return made
    },
    fakeSink(room = '', { posts = {}, ...options } = {}) {
      const made = fakeToGuest(plane, options)
      play(time, room, marbleValues(posts), {
        next: count => made.port.post(count as number),
        complete: () => made.target.close(),
      })
      return made
    },
    fakeDevice({ traffic = '', room = '', life } = {}, { frames, posts = {}, ...options } = {}) {
      const device = new FakeDevice(plane, { ...options, poll: 'interrupt', ready: life === undefined })
      new Traffic(frames).play(time, traffic, device.ports.fromGuest, () => device.close())
      play(time, room, marbleValues(posts), { next: count => device.ports.toGuest.post(count as number) })
      play(
        time,
        life ?? '',
        { r: true, s: false },
        {
          next: run => (run ? device.start() : device.stop()),
          complete: () => device.close(),
        },
      )
      return device
    },
    expectBursts: (source, subscription = null, options = {}) =>
      expectBursts(time, source, subscription, options),
    expectPackets: (source, subscription = null, options = {}) =>
      expectPackets(time, source, subscription, options),
    expectLeases: of => expectLevel(time, () => (of === undefined ? plane.pool.leases : of.queue.stats.held)),
    expectCredit: of => expectLevel(time, () => creditOf(of)),
    expectRoom: of => expectLevel(time, () => of.port.room),
    expectKept: of => expectLevel(time, () => of.sink.stats.held),
    expectReceived: (by, as) => expectReceived(time, by, as),
  }
}
