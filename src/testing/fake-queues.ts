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

/** The plane that fake queues share, with the loop that runs them. */
export interface FakePlane extends DataPlane {
  /** The loop that provides time and turns. */
  readonly loop: FakeLoop
}

/** A from-guest queue with its driver and the guest's side of its ring. */
export interface FromGuest {
  /** The queue as an application sees it. */
  readonly queue: VhostQueue
  /** The queue that does the work. */
  readonly source: SourceQueue
  /** The guest's side. */
  readonly port: FakePort
  /** Packets that may be under lease. */
  readonly credit: number
}

/** A to-guest queue with its driver and the guest's side of its ring. */
export interface ToGuest {
  /** The sink as an application sees it. */
  readonly sink: VhostSink
  /** The queue that does the work. */
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

/** Makes a from-guest queue. Its guest sends with `port.send()`. */
export function fakeFromGuest(plane: DataPlane, options: SourceOptions & FakePortOptions = {}): FromGuest {
  const source = new SourceQueue(plane, options)
  const port = new FakePort(plane.pool, options)
  source.attach(port)
  return { queue: new VhostQueue(source), source, port, credit: options.highWaterMark ?? CREDIT_PACKETS }
}

/** Makes a to-guest queue. Its guest makes room with `port.post()`, and `port.received` has the frames that it got. */
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
