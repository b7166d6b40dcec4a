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

/** `poll` can't be set, because virtual time stands still while a queue polls. */
export type FakeQueueOptions = Omit<SourceOptions, 'poll'> & FakePortOptions

/** The helpers of a marble test. */
export interface MarbleHelpers extends RunHelpers {
  /** The plane that all queues of this test share. Its pool counts the leases. */
  readonly plane: DataPlane
  /** The virtual time in which all rings run; `schedule(run, ms)` runs a function of your own in it. */
  readonly clock: VirtualTime
  /**
   * Makes a from-guest queue. `traffic` says when its guest sends: a digit stands for that many numbered frames (the
   * first is number 0), another character for its value in `frames`; `|` ends the queue when its ring is empty.
   */
  fakeQueue(traffic?: string, options?: FakeQueueOptions & { frames?: MarbleValues }): FromGuest
  /**
   * Makes a to-guest queue whose ring has no room at first. `room` says when its guest posts buffers, and how many: a
   * digit, or another character with its value in `posts`; `|` ends the sink.
   */
  fakeSink(room?: string, options?: SinkOptions & FakePortOptions & { posts?: MarbleValues }): ToGuest
  /**
   * Makes a device with a queue and a sink. `life` says when it starts (`r`), stops (`s`) and leaves (`|`). Without
   * `life`, it runs from the start.
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
  /** Expects the packets under lease, of a queue or of all, at the end of each frame in which the number changed. */
  expectLeases(of?: FromGuest): Expectation
  /** Expects the number of packets that a queue may still have under lease. */
  expectCredit(of: FromGuest): Expectation
  /** Expects the number of unused buffers that a sink's guest has posted. */
  expectRoom(of: ToGuest): Expectation
  /** Expects the number of packets that a sink has queued because the ring has no room. */
  expectKept(of: ToGuest): Expectation
  /** Expects the frames that a sink's guest receives, as a list for each call of the ring. */
  expectReceived(by: ToGuest, as?: (frame: Buffer) => unknown): Expectation
}

/** Options of a marble test. */
export interface MarbleOptions {
  /**
   * Compares two values and throws if they differ: ava's `t.deepEqual`, chai's `assert.deepEqual`. Default node:assert.
   */
  equal?: (actual: unknown, expected: unknown) => unknown
  /** The end of virtual time in ms, so that a pipeline with an endless timer ends, too. Default 10,000. */
  maxFrames?: number
}

/**
 * Runs `body` in virtual time, and checks its expectations when nothing is scheduled any more. It is synchronous, so no
 * promise resolves in it: use `timer()` in place of promises.
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
