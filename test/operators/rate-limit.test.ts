// rateLimit: what goes when, in packets and in bits, shaped and policed; that shape loses nothing and keeps the order; who
// pays; and that its rate is not that of its timers.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { of, type SchedulerAction, type SchedulerLike, Subscription, throwError } from 'rxjs'
import { catchError, concatWith, take, tap } from 'rxjs/operators'
import { mapPackets, type RateLimitOptions, rateLimit, tapPackets } from '../../src/operators/index.js'
import {
  fakeFromGuest,
  fakePlane,
  frames,
  type MarbleHelpers,
  numberOf,
  marbles as virtually,
} from '../../src/testing/index.js'
import { bench, collector, marbles, upTo } from './bench.js'

const marble = (title: string, body: (h: MarbleHelpers, t: ExecutionContext) => void): void =>
  test(title, t => {
    virtually(h => body(h, t), { equal: t.deepEqual })
    t.pass()
  })

/** A frame of the tests is 64 bytes: at this rate one takes a millisecond. */
const FRAME_A_MS = 512_000

test('shape: what exceeds the rate waits; a burst goes at once after a pause', t => {
  marbles(t, rateLimit({ packetsPerSecond: 500, burstPackets: 2 }), {
    source: '--4------1--|',
    result: '--a-b-c--d--|',
    values: { a: '0 1', b: '2', c: '3', d: '4' },
  })
})

test('police: what exceeds the rate is dropped, counted', t => {
  const options = { packetsPerSecond: 500, burstPackets: 2, mode: 'police' } as const
  const made = marbles(t, rateLimit(options), {
    source: '--4------1--|',
    result: '--a------b--|',
    values: { a: '0 1', b: '4' },
  })
  t.deepEqual(made.drops(), { 'rate-limit': 2 })
  const named = marbles(t, rateLimit({ ...options, reason: 'contract' }), {
    source: '-(3|)',
    result: '-(a|)',
    values: { a: '0 1' },
  })
  t.deepEqual(named.drops(), { contract: 1 })
})

test('bits: those of the frame, and of what is around it on the wire', t => {
  const [values, options] = [
    { a: '0', b: '1', c: '2' },
    { bitsPerSecond: FRAME_A_MS, burstBytes: 64 },
  ]
  marbles(t, rateLimit(options), { source: '-3-----|', result: '-abc---|', values })
  marbles(t, rateLimit({ ...options, overhead: 64 }), { source: '-3-----|', result: '-a-b-c-|', values })
})

test('packets and bits at once: the lower rate governs', t => {
  const values = { a: '0', b: '1', c: '2' }
  const bits = { bitsPerSecond: FRAME_A_MS, burstBytes: 64 }
  const packets = { packetsPerSecond: 500, burstPackets: 1 }
  marbles(t, rateLimit({ ...bits, ...packets }), { source: '-3-----|', result: '-a-b-c-|', values })
  const more = { packetsPerSecond: 5000, burstPackets: 1 }
  marbles(t, rateLimit({ ...bits, ...more }), { source: '-3-----|', result: '-abc---|', values })
})

test('a packet that costs more than a full bucket goes when that is full; those behind it wait the longer', t => {
  const values = { a: '0', b: '1', c: '2' }
  for (const mode of ['shape', 'police'] as const)
    marbles(t, rateLimit({ bitsPerSecond: FRAME_A_MS / 2, burstBytes: 1, mode }), {
      source: '-1-1-1-|',
      result: '-a-b-c-|',
      values,
    })
})

test('segmentation offload: a packet counts as the frames that it becomes, headers and overhead of each', t => {
  // 50 bytes behind 14 of headers, 10 a segment.
  const segmented = mapPackets(({ header }) => {
    header.gsoType = 1
    header.gsoSize = 10
    header.headerLength = 14
  })
  const values = { a: '0', b: '1' }
  const packets = rateLimit({ packetsPerSecond: 1000, burstPackets: 1 })
  marbles(t, source => source.pipe(segmented, packets), { source: '-2------|', result: '-a----b-|', values })
  // 64 + 4 × 14 + 5 × 14 bytes, in 10 ms.
  const bits = rateLimit({ bitsPerSecond: ((64 + 56 + 70) * 8) / 0.01, burstBytes: 1, overhead: 14 })
  marbles(t, source => source.pipe(segmented, bits), {
    source: '-2------------|',
    result: '-a---------b--|',
    values,
  })
})

test('headers that lie about segments cost no more than so many small frames', t => {
  const lying = mapPackets(({ header }) => {
    header.gsoType = 1
    header.gsoSize = 1
    header.headerLength = 0xffff
  })
  // All of the frame is taken for headers: no payload, one frame.
  marbles(t, source => source.pipe(lying, rateLimit({ packetsPerSecond: 1000, burstPackets: 1 })), {
    source: '-2--|',
    result: '-ab-|',
    values: { a: '0', b: '1' },
  })
})

marble('shape keeps what waits within the credit: the guest is slowed, and nothing is dropped', h => {
  const from = h.fakeQueue('                        6', { highWaterMark: 2, burst: 1 })
  const shaped = from.queue.pipe(rateLimit({ packetsPerSecond: 1000, burstPackets: 1 }))
  h.expectBursts(shaped).toBe('                       012345')
  h.expectLeases(from).toBe('                         2---10')
})

marble('single packets are shaped as single packets', h => {
  const from = h.fakeQueue('                        4---')
  const shaped = from.queue.packets.pipe(rateLimit({ packetsPerSecond: 250, burstPackets: 2 }))
  h.expectPackets(shaped).toBe('                      (01)2---3')
  const other = h.fakeQueue('                       3-1-')
  const policed = other.queue.packets.pipe(
    rateLimit({ packetsPerSecond: 500, burstPackets: 1, mode: 'police' }),
  )
  h.expectPackets(policed).toBe('                      0-3')
})

test('shape: what waits comes out after the source has completed, then so does the result', t => {
  const values = { a: '0', b: '1', c: '2' }
  marbles(t, rateLimit({ packetsPerSecond: 500, burstPackets: 1 }), {
    source: '-3|',
    result: '-a-b-(c|)',
    values,
  })
  marbles(t, source => source.pipe(take(1), rateLimit({ packetsPerSecond: 500, burstPackets: 1 })), {
    source: '-3------2',
    result: '-a-b-(c|)',
    values,
  })
})

test('shape: an unsubscription drops what waits, counted', t => {
  const made = marbles(t, rateLimit({ packetsPerSecond: 1000, burstPackets: 1 }), {
    source: '-4-----',
    result: '-ab----',
    values: { a: '0', b: '1' },
    unsubscribe: '---!',
  })
  t.deepEqual(made.drops(), { unsubscribed: 2 })
})

test('shape: an error comes at once, and what waited is counted', t => {
  const { queue, run, drops, leases } = bench({ burst: 3 })
  const seen = collector()
  queue
    .pipe(
      take(1),
      concatWith(throwError(() => new Error('upstream'))),
      rateLimit({ packetsPerSecond: 1, burstPackets: 1 }),
      catchError(() => of()),
    )
    .subscribe(seen.note)
  run(3)
  t.deepEqual(seen.all, [[0]])
  t.deepEqual(drops(), { unsubscribed: 2 })
  t.is(leases(), 0)
})

test('an unsubscription from inside what goes at once leaves the rest to the next one', t => {
  const { queue, run, drops, leases } = bench({ burst: 8 })
  const seen = collector()
  const shaped = queue.pipe(rateLimit({ packetsPerSecond: 1e-3, burstPackets: 3 }), tap(seen.note), take(1))
  shaped.subscribe()
  run(8)
  t.deepEqual(seen.flat(), upTo(3))
  shaped.subscribe()
  run(0)
  t.deepEqual(seen.flat(), upTo(6))
  queue.subscribe(seen.note)
  run(0)
  t.deepEqual([seen.flat(), drops(), leases()], [upTo(8), {}, 0])
})

test('what waits for longer than a second stalls the queue, and the stall names rateLimit()', t => {
  const stalled: unknown[] = []
  const { queue, plane, run } = bench({ highWaterMark: 16, burst: 8, onStalled: s => stalled.push(s) })
  const running = queue.pipe(rateLimit({ packetsPerSecond: 1e-3, burstPackets: 1 })).subscribe()
  run(100)
  plane.loop.advance(2000)
  t.deepEqual(stalled, [{ held: 16, holders: { 'rateLimit()': 1 } }])
  running.unsubscribe()
  t.is(plane.pool.leases, 0)
  t.is(plane.pool.holders?.size, 0)
})

/** A scheduler whose timers ring when they are told to, as late as one likes. */
class Late implements SchedulerLike {
  time = 0
  pending = 0
  most = 0
  #work: (() => void) | null = null
  now = (): number => this.time
  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void): Subscription {
    this.most = Math.max(this.most, ++this.pending)
    const once = new Subscription(() => this.pending--)
    this.#work = () => {
      once.unsubscribe()
      work.call(undefined as never)
    }
    return once
  }
  ring(time: number): void {
    this.time = time
    const work = this.#work
    this.#work = null
    if (this.pending > 0) work?.()
  }
}

test('the rate is that which was asked for, however late the timers are; there is one at a time', t => {
  const plane = fakePlane({ bytes: 64 << 20 })
  const { queue, port } = fakeFromGuest(plane, { size: 1 << 14, highWaterMark: 1 << 14 })
  const scheduler = new Late()
  let out = 0
  queue
    .pipe(
      rateLimit({ packetsPerSecond: 12_345, burstPackets: 1, scheduler }),
      tapPackets(() => out++),
    )
    .subscribe()
  port.send(...frames(10_000))
  plane.loop.drain()
  for (const time of [17, 18.5, 140, 141, 600]) {
    scheduler.ring(time)
    t.is(out, 1 + Math.floor(time * 12.345), `${time} ms`)
  }
  scheduler.ring(1000)
  t.is(out, 10_000)
  t.deepEqual([scheduler.most, scheduler.pending, plane.pool.leases], [1, 0, 0])
})

// A pause and a number of packets, so many times.
const traffic = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 30 })), {
  minLength: 1,
  maxLength: 20,
})

test('shape: all come out, in order, and in no time more than the bucket and the rate allow', t => {
  const given = fc.record({
    perMs: fc.double({ min: 0.2, max: 20, noNaN: true }),
    depth: fc.integer({ min: 1, max: 40 }),
    traffic,
  })
  fc.assert(
    fc.property(given, ({ perMs, depth, traffic: sent }) => {
      const [times, seen] = [[] as number[], [] as number[]]
      let count = 0
      virtually(h => {
        const { queue, port } = h.fakeQueue('', { size: 1024 })
        let at = 0
        for (const [pause, packets] of sent) {
          at += pause
          const first = count
          count += packets
          h.clock.schedule(() => port.send(...frames(packets, first)), at)
        }
        queue.pipe(rateLimit({ packetsPerSecond: perMs * 1000, burstPackets: depth })).subscribe(burst => {
          for (const packet of burst) {
            times.push(h.clock.now())
            seen.push(numberOf(packet))
          }
        })
      })
      t.deepEqual(seen, upTo(count))
      // Timers have whole milliseconds: one may be late by that.
      for (let i = 0; i < count; i++)
        for (let j = i; j < count; j++)
          if (j - i + 1 > depth + perMs * (times[j] - times[i] + 1) + 1e-6)
            return t.fail(`${j - i + 1} packets from ${times[i]} to ${times[j]} ms`)
    }),
    { numRuns: 50 },
  )
})

test('a limit that is none is refused at once', t => {
  const wrong: RateLimitOptions[] = [
    { packetsPerSecond: 0 },
    { packetsPerSecond: Number.NaN },
    { bitsPerSecond: -1 },
    { packetsPerSecond: 1, burstPackets: 0 },
    { bitsPerSecond: 1, burstBytes: -1 },
    { bitsPerSecond: 1, overhead: -1 },
    { bitsPerSecond: 1, mode: 'drop' as never },
  ]
  for (const options of wrong) t.throws(() => rateLimit(options), { instanceOf: RangeError })
  t.throws(() => rateLimit({}), { instanceOf: TypeError })
})
