// Queues on rings in memory, with leases in strict mode: for tests of a pipeline without a guest or an addon.
import type { DataPlane } from '../data/plane.js'
import { plainPoolArrays } from '../data/pool/arrays.js'
import { Pool } from '../data/pool/pool.js'
import { type SinkOptions, SinkQueue } from '../data/sink/sink.js'
import { CREDIT_PACKETS, type SourceOptions } from '../data/source/options.js'
import { SourceQueue } from '../data/source/source.js'
import { Scheduler } from '../data/turn/scheduler.js'
import { Turn } from '../data/turn/turn.js'
import { VhostQueue, VhostSink } from '../queue/queue.js'
import { FakeLoop } from './fake-loop.js'
import { FakePort, type FakePortOptions } from './fake-port.js'
import type { VirtualTime } from './virtual-time.js'

/** What fake queues share, with the loop that runs them. */
export interface FakePlane extends DataPlane {
  /** The loop that gives time and turns. */
  readonly loop: FakeLoop
}

/** A from-guest queue with its driver and the guest's side of its ring. */
export interface FromGuest {
  /** What an application has. */
  readonly queue: VhostQueue
  /** What drives it. */
  readonly source: SourceQueue
  /** The guest's side. */
  readonly port: FakePort
  /** Packets that may be under lease. */
  readonly credit: number
}

/** A to-guest queue with its driver and the guest's side of its ring. */
export interface ToGuest {
  /** What an application has. */
  readonly sink: VhostSink
  /** What drives it. */
  readonly target: SinkQueue
  /** The guest's side. */
  readonly port: FakePort
}

/** A pool, a scheduler and an event loop of their own. `bytes`: size of the pool. */
export function fakePlane({ strict = true, bytes = 5 << 20 } = {}): FakePlane {
  const loop = new FakeLoop()
  return {
    loop,
    timers: loop,
    pool: new Pool(plainPoolArrays(bytes), { strict }),
    scheduler: new Scheduler({ now: loop.now, defer: loop.defer, spin: false }),
    turn: new Turn(loop.defer),
  }
}

// The pool has room for the credit of a few queues, so that credit is the limit. Untouched memory costs nothing.
const VIRTUAL_POOL = 20 << 20

/** The same in virtual time, always strict. */
export function virtualPlane(time: VirtualTime): DataPlane {
  return {
    timers: time,
    pool: new Pool(plainPoolArrays(VIRTUAL_POOL), { strict: true }),
    scheduler: time.scheduler,
    turn: new Turn(time.defer),
  }
}

/** A from-guest queue; its guest sends by `port.send()`. */
export function fakeFromGuest(plane: DataPlane, options: SourceOptions & FakePortOptions = {}): FromGuest {
  const source = new SourceQueue(plane, options)
  const port = new FakePort(plane.pool, options)
  source.attach(port)
  return { queue: new VhostQueue(source), source, port, credit: options.highWaterMark ?? CREDIT_PACKETS }
}

/** A to-guest queue; its guest makes room by `port.post()` and has what it got in `port.received`. */
export function fakeToGuest(
  plane: DataPlane,
  options: SinkOptions & FakePortOptions & { room?: number } = {},
): ToGuest {
  const target = new SinkQueue(plane, options)
  const port = new FakePort(plane.pool, options)
  target.attach(port)
  port.post(options.room ?? 0)
  return { sink: new VhostSink(target), target, port }
}
