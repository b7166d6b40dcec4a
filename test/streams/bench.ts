// What the tests of the bridges have in common: a guest that sends to one that receives, on rings in memory with strict
// leases, and an event loop that is turned by hand while promises and streams of Node take their own turns.
import type { ExecutionContext } from 'ava'
import type { HeldBurst } from '../../src/packet/burst.js'
import { numberOf } from '../../src/testing/index.js'
import { bench as queues, upTo } from '../operators/bench.js'
import { turn } from '../transport/sockets.js'

export { turn, upTo }

export const CREDIT = 64
export const BURST = 8

export type Bench = ReturnType<typeof bench>

export function bench(room?: number) {
  const made = queues({ highWaterMark: CREDIT, burst: BURST }, room)
  /** The most packets that were under lease. */
  let most = 0
  const turnOnce = async (): Promise<void> => {
    made.plane.loop.drain()
    most = Math.max(most, made.leases())
    await turn()
  }
  return {
    ...made,
    most: () => most,
    /** Lets time pass until `work` is done, or for some turns. */
    async pass<T = void>(work?: Promise<T>): Promise<T> {
      let over = false
      const end = (): void => {
        over = true
      }
      work?.then(end, end)
      for (let n = 0; work === undefined ? n < 30 : !over; n++) await turnOnce()
      await turnOnce()
      return work as Promise<T>
    },
  }
}

/** Its numbers, noted slowly, and its release. */
export async function read(burst: HeldBurst, into: number[]): Promise<void> {
  try {
    into.push(...[...burst].map(numberOf))
    await turn()
    await turn()
  } finally {
    burst.release()
  }
}

/** Nothing is under lease; who subscribes now gets what comes, from `next` on, with no gap. */
export async function allBack(t: ExecutionContext, it: Bench, next: number, count: number): Promise<void> {
  await it.pass()
  t.is(it.from.queue.stats.held, it.from.source.unseen, 'leases are left')
  const seen: number[] = []
  const running = it.queue.subscribe(burst => seen.push(...[...burst].map(numberOf)))
  await it.pass()
  running.unsubscribe()
  t.deepEqual(seen, upTo(count - next, next))
  t.is(it.leases(), 0)
}

/** 1,000 packets are on their way to a guest that posts a few buffers at a time. */
export async function fullRing(t: ExecutionContext, it: Bench, running: Promise<void>): Promise<void> {
  let over = false
  const ended = running.finally(() => {
    over = true
  })
  await it.pass()
  t.is(it.leases(), CREDIT)
  t.is(it.to.sink.stats.held, BURST)
  while (!over) {
    it.to.port.post(7)
    await it.pass()
  }
  await ended
  t.deepEqual(it.got(), upTo(1000))
  t.is(it.most(), CREDIT)
  t.is(it.leases(), 0)
  t.deepEqual(it.to.sink.stats.drops, {})
}
