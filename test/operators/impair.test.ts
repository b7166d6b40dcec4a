// impair: each impairment by itself, in virtual time and by seed; what is drawn does not depend on what else is; and what
// becomes of the packets on the way when the source or the subscription ends.
import test, { type ExecutionContext } from 'ava'
import { merge, of, throwError } from 'rxjs'
import { catchError, concatWith, take } from 'rxjs/operators'
import { HeaderReader } from '../../src/headers/index.js'
import { enqueue, type ImpairOptions, impair, mapPackets, tapPackets } from '../../src/operators/index.js'
import {
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  type MarbleHelpers,
  numberOf,
  tcp,
  marbles as virtually,
} from '../../src/testing/index.js'
import { bench, collector, marbles, upTo } from './bench.js'

const FRAME_A_MS = 512_000

const marble = (title: string, body: (h: MarbleHelpers, t: ExecutionContext) => void): void =>
  test(title, t => {
    virtually(h => body(h, t), { equal: t.deepEqual, maxFrames: 100_000 })
    t.pass()
  })

/** The numbers that come out of `count` packets, without a delay. */
function out(options: ImpairOptions, count = 10_000) {
  const { queue, run, drops, leases } = bench({ burst: 64 })
  const seen = collector()
  queue.pipe(impair(options), tapPackets(seen.note)).subscribe()
  run(count)
  return { seen: seen.flat(), drops: { ...drops() }, leases: leases() }
}

/** When each of `count` packets comes out that are sent in one burst at 0, by its number. */
function arrivals(options: ImpairOptions, count: number): { order: number[]; times: number[] } {
  const order: number[] = []
  const times: number[] = []
  virtually(
    h => {
      const { queue, port } = h.fakeQueue('', { size: 1 << 13, highWaterMark: 1 << 13 })
      h.clock.schedule(() => port.send(...Array.from({ length: count }, (_, n) => numbered(n))), 0)
      queue.pipe(impair(options)).subscribe(burst => {
        for (const packet of burst) {
          order.push(numberOf(packet))
          times[numberOf(packet)] = h.clock.now()
        }
      })
    },
    { maxFrames: 100_000 },
  )
  return { order, times }
}

const numbered = (number: number): Buffer => {
  const bytes = Buffer.alloc(64)
  bytes.writeUInt32BE(number, 14)
  return bytes
}

test('delay: each packet comes so much later, those of one time as one burst', t => {
  marbles(t, impair({ delay: 3 }), {
    source: '--3-2---1-|',
    result: '-----a-b---(c|)',
    values: { a: '0 1 2', b: '3 4', c: '5' },
  })
})

test('loss and delay together, as documented', t => {
  const made = marbles(t, impair({ delay: 3, loss: 0.25, seed: 15 }), {
    source: '--3-----1-|',
    result: '-----a-----(b|)',
    values: { a: '0 2', b: '3' },
  })
  t.deepEqual(made.drops(), { 'impair-loss': 1 })
})

test('without options everything passes at once', t => {
  marbles(t, impair(), { source: '--3-1-|', result: '--a-b-|', values: { a: '0 1 2', b: '3' } })
})

marble('single packets are delayed as single packets', h => {
  const from = h.fakeQueue('                                      2----1')
  h.expectPackets(from.queue.packets.pipe(impair({ delay: 2 }))).toBe('--(01)-2')
})

test('loss: so many in the long run, counted, the same for the same seed', t => {
  const first = out({ loss: 0.2, seed: 5 })
  t.true(Math.abs(first.seen.length - 8000) < 200, `${first.seen.length}`)
  t.deepEqual([first.drops, first.leases], [{ 'impair-loss': 10_000 - first.seen.length }, 0])
  t.deepEqual(out({ loss: 0.2, seed: 5 }).seen, first.seen)
  t.notDeepEqual(out({ loss: 0.2, seed: 6 }).seen, first.seen)
  t.notDeepEqual(out({ loss: 0.2 }).seen, out({ loss: 0.2 }).seen)
  t.deepEqual(out({ loss: 0 }).seen, upTo(10_000))
  t.deepEqual(out({ loss: 1 }).seen, [])
})

test('loss in bursts: of the length and the share that the two probabilities make', t => {
  const { seen } = out({ loss: { toBad: 0.02, toGood: 0.25 }, seed: 3 }, 50_000)
  const there = new Set(seen)
  let [lost, runs] = [0, 0]
  for (let n = 0; n < 50_000; n++) {
    if (there.has(n)) continue
    lost++
    if (n === 0 || there.has(n - 1)) runs++
  }
  const share = 0.02 / (0.02 + 0.25)
  t.true(Math.abs(lost / 50_000 - share) < 0.1 * share, `${lost / 50_000} lost`)
  t.true(Math.abs(lost / runs - 4) < 0.4, `${lost / runs} at a time`)
  t.deepEqual(out({ loss: { toBad: 0, toGood: 1, whileGood: 1 } }).seen, [])
  t.deepEqual(out({ loss: { toBad: 1, toGood: 0, whileBad: 0 } }).seen, upTo(10_000))
})

test('what is lost does not depend on what else happens', t => {
  const { seen } = out({ loss: 0.1, seed: 9 }, 2000)
  const more = arrivals({ loss: 0.1, seed: 9, delay: 5, jitter: 5, reorder: 0.1, corrupt: 1e-9 }, 2000)
  t.deepEqual(
    [...more.order].sort((a, b) => a - b),
    seen,
  )
})

test('duplicate: twice, in slots of their own, which the queue pays', t => {
  const { seen, drops, leases } = out({ duplicate: 1 }, 3)
  t.deepEqual([seen, drops, leases], [[0, 0, 1, 1, 2, 2], {}, 0])
  const some = out({ duplicate: 0.1, seed: 1 })
  t.true(Math.abs(some.seen.length - 11_000) < 200, `${some.seen.length}`)
  const { queue, run } = bench()
  const edited: number[] = []
  const once = mapPackets(p => p.setUint32(14, p.uint32(14) + 1), { inPlace: true })
  queue
    .pipe(
      impair({ duplicate: 1 }),
      once,
      tapPackets(p => edited.push(numberOf(p))),
    )
    .subscribe()
  run(2)
  t.deepEqual(edited, [1, 1, 2, 2])
})

test('corrupt: one bit of a copy; the packet stays as it was for others', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const [bad, good] = [[] as Buffer[], [] as Buffer[]]
  merge(
    queue.pipe(
      impair({ corrupt: 1, seed: 2 }),
      tapPackets(p => bad.push(p.toBuffer())),
    ),
    queue.pipe(tapPackets(p => good.push(p.toBuffer()))),
  ).subscribe()
  const frame = tcp({ payload: 'whole' })
  port.send(frame, frame, frame)
  plane.loop.drain()
  t.deepEqual(good, [frame, frame, frame])
  for (const changed of bad) t.is(bitsBetween(changed, frame), 1)
  t.is(new Set(bad.map(String)).size, 3)
  t.is(plane.pool.leases, 0)
})

const bitsBetween = (a: Buffer, b: Buffer): number =>
  a.reduce((sum, byte, i) => sum + [...(byte ^ b[i]).toString(2)].filter(bit => bit === '1').length, 0)

test('corrupt: a checksum that was left to be done is done before', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const reader = new HeaderReader()
  const frame = tcp({ payload: 'left to be done' })
  const leave = mapPackets(p => {
    const { header } = p
    header.flags = 1
    header.checksumStart = 34
    header.checksumOffset = 16
    // The sum of the pseudo-header: addresses, protocol, length.
    let sum = p.uint16(26) + p.uint16(28) + p.uint16(30) + p.uint16(32) + 6 + (p.uint16(16) - 20)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    p.setUint16(50, sum)
  })
  const seen: [Buffer, number][] = []
  const note = tapPackets(p => seen.push([p.toBuffer(), p.header.flags]))
  queue
    .pipe(
      leave,
      tapPackets(p => t.is(reader.of(p).tcp?.checksumStatus, 'partial')),
      impair({ corrupt: 1, seed: 4 }),
      note,
    )
    .subscribe()
  port.send(frame)
  plane.loop.drain()
  const [[bytes, flags]] = seen
  t.is(flags, 0)
  t.is(bitsBetween(bytes, frame), 1)
})

test('corrupt: without a slot for the copy the packet is dropped as no-slot', t => {
  const plane = fakePlane({ bytes: 1 << 20 })
  const { queue, port } = fakeFromGuest(plane, { size: 4096, burst: 64, highWaterMark: 4096 })
  const seen = collector()
  const hoard: number[] = []
  for (let slot = plane.pool.alloc(64); slot >= 0; slot = plane.pool.alloc(64)) hoard.push(slot)
  for (const slot of hoard.splice(0, 30)) plane.pool.release(slot)
  queue.pipe(impair({ corrupt: 1, duplicate: 1 }), tapPackets(seen.note)).subscribe()
  port.send(...Array.from({ length: 64 }, (_, n) => numbered(n)))
  plane.loop.drain()
  t.true(queue.stats.drops['no-slot'] > 0)
  for (const slot of hoard) plane.pool.release(slot)
  t.is(plane.pool.leases, 0)
})

test('reorder: some go without the delay, ahead of those on the way; both in order', t => {
  const { order, times } = arrivals({ delay: 10, reorder: 0.3, seed: 1 }, 1000)
  const early = upTo(1000).filter(n => times[n] === 0)
  t.true(Math.abs(early.length - 300) < 50, `${early.length}`)
  t.deepEqual(order, [...early, ...upTo(1000).filter(n => times[n] === 10)])
})

test('jitter: delays around the mean, by their distribution; packets overtake each other', t => {
  const options = { delay: 1000, jitter: 100, seed: 11 }
  const { order, times } = arrivals(options, 4000)
  t.notDeepEqual(order, upTo(4000))
  t.deepEqual(
    [...order].sort((a, b) => times[a] - times[b] || order.indexOf(a) - order.indexOf(b)),
    order,
  )
  t.true(Math.min(...times) >= 900 && Math.min(...times) < 905, `${Math.min(...times)}`)
  t.true(Math.max(...times) <= 1100 && Math.max(...times) > 1095, `${Math.max(...times)}`)
  for (const distribution of ['normal', 'pareto'] as const) {
    const drawn = arrivals({ ...options, distribution }, 4000).times
    const mean = drawn.reduce((sum, time) => sum + time, 0) / drawn.length
    const deviation = Math.sqrt(drawn.reduce((sum, time) => sum + (time - mean) ** 2, 0) / drawn.length)
    t.true(Math.abs(mean - 1000) < 15, `${distribution}: mean ${mean}`)
    t.true(deviation > 65 && deviation < 110, `${distribution}: deviation ${deviation}`)
    t.true(Math.max(...drawn) <= 1400 && Math.max(...drawn) > 1250, `${distribution}: ${Math.max(...drawn)}`)
  }
})

test('jitter with keepOrder: none comes before one that was sent earlier; no delay is negative', t => {
  const { order, times } = arrivals({ delay: 10, jitter: 40, keepOrder: true, seed: 1 }, 500)
  t.deepEqual(order, upTo(500))
  t.deepEqual(
    [...times].sort((a, b) => a - b),
    times,
  )
  t.is(times[0] >= 0 && times[0] <= 50, true)
})

test('rate: packets are sent one after the other, and come so much later', t => {
  const values = { a: '0', b: '1', c: '2', d: '3' }
  marbles(t, impair({ bitsPerSecond: FRAME_A_MS }), { source: '-3----1--|', result: '--abc--d-|', values })
  marbles(t, impair({ bitsPerSecond: FRAME_A_MS, overhead: 64, delay: 2 }), {
    source: '-2-------|',
    result: '-----a-b-|',
    values,
  })
})

test('limit: what finds so many on the way is dropped, counted', t => {
  const made = marbles(t, impair({ delay: 3, limit: 2 }), {
    source: '-3---1---|',
    result: '----a---b|',
    values: { a: '0 1', b: '3' },
  })
  t.deepEqual(made.drops(), { 'impair-limit': 1 })
})

marble('without a limit the credit is one: the guest is slowed, and nothing is dropped', h => {
  const from = h.fakeQueue('                   4', { highWaterMark: 2, burst: 2 })
  h.expectBursts(from.queue.pipe(impair({ delay: 3 }))).toBe('---a--b', { a: [0, 1], b: [2, 3] })
  h.expectLeases(from).toBe('                    2-----0')
})

marble('what comes out goes on into a ring, in order', h => {
  const from = h.fakeQueue('                   3--1')
  const to = h.fakeSink('                      9')
  h.expectBursts(from.queue.pipe(impair({ delay: 2 }), enqueue(to.sink))).toBe('')
  h.expectReceived(to).toBe('                  --a--3', { a: [0, 1, 2] })
})

test('an unsubscription drops what is on the way, counted; an error does too, and comes at once', t => {
  const made = marbles(t, impair({ delay: 5 }), { source: '-3----', result: '------', unsubscribe: '---!' })
  t.deepEqual(made.drops(), { unsubscribed: 3 })
  const { queue, run, drops, leases } = bench({ burst: 3 })
  const failing = queue.pipe(
    take(1),
    concatWith(throwError(() => new Error('upstream'))),
    impair({ delay: 5 }),
    catchError(error => of(error.message)),
  )
  const seen: unknown[] = []
  failing.subscribe(value => seen.push(value))
  run(3)
  t.deepEqual([seen, drops(), leases()], [['upstream'], { unsubscribed: 3 }, 0])
})

test('what a downstream operator does not take of a burst is counted', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane)
  const to = fakeToGuest(plane, { room: 64 })
  const failing = mapPackets(p => {
    if (numberOf(p) === 1) throw new Error('downstream')
  })
  queue.pipe(impair(), failing, enqueue(to.sink)).subscribe({ error: () => {} })
  port.send(numbered(0), numbered(1), numbered(2))
  plane.loop.drain()
  t.deepEqual(to.port.received.map(numberOf), [0])
  t.deepEqual({ ...queue.stats.drops }, { 'pipeline-error': 1, unsubscribed: 1 })
  t.is(plane.pool.leases, 0)
})

test('what is no probability, no time or no use is refused at once', t => {
  const wrong: ImpairOptions[] = [
    { loss: -0.1 },
    { loss: 1.1 },
    { loss: { toBad: 2, toGood: 0 } },
    { duplicate: Number.NaN },
    { corrupt: 5 },
    { delay: -1 },
    { delay: 1, jitter: Number.POSITIVE_INFINITY },
    { reorder: 0.5 },
    { bitsPerSecond: 0 },
    { overhead: -1 },
    { limit: 0 },
    { distribution: 'levy' as never },
  ]
  for (const options of wrong)
    t.throws(() => impair(options), { instanceOf: RangeError }, JSON.stringify(options))
})
