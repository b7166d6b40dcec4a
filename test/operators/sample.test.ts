// sample: which packets pass, by count, by chance and by flow.
import test from 'ava'
import { merge } from 'rxjs'
import { sample, tapPackets } from '../../src/operators/index.js'
import { fakeFromGuest, fakePlane, type MarbleHelpers, marbles, udp } from '../../src/testing/index.js'
import { bench, collector, upTo } from './bench.js'

test('by count: the first, and then each nth, across bursts', t => {
  marbles(
    (h: MarbleHelpers) => {
      const { queue } = h.fakeQueue('        --4---2---1-|')
      h.expectBursts(queue.pipe(sample(3))).toBe('--a-------6-|', { a: [0, 3] })
      h.expectPackets(queue.packets.pipe(sample(3))).toBe('--(03)----6-|')
    },
    { equal: t.deepEqual },
  )
  t.pass()
})

test('by chance: 1 of n in the long run, the same for the same seed', t => {
  const take = (seed?: number): number[] => {
    const { queue, run, drops } = bench({ burst: 64 })
    const seen = collector()
    queue.pipe(sample({ every: 10, by: 'random', seed }), tapPackets(seen.note)).subscribe()
    run(20_000)
    t.deepEqual(drops(), {}, 'what is left out is not dropped')
    return seen.flat()
  }
  const some = take(7)
  t.true(Math.abs(some.length - 2000) < 150, `${some.length}`)
  t.deepEqual(take(7), some)
  t.notDeepEqual(take(8), some)
  t.notDeepEqual(take(), take())
})

test('by flow: all packets of a flow in both directions, or none; 1 flow of n', t => {
  const plane = fakePlane()
  const { queue, port } = fakeFromGuest(plane, { size: 1 << 16 })
  const ports = new Map<number, number>()
  queue
    .pipe(
      sample({ every: 4, by: 'flow', seed: 1 }),
      tapPackets(p => {
        const flow = Math.max(p.uint16(34), p.uint16(36))
        ports.set(flow, (ports.get(flow) ?? 0) + 1)
      }),
    )
    .subscribe()
  for (let round = 0; round < 3; round++)
    for (let flow = 2000; flow < 4000; flow++) {
      port.send(udp({ fromPort: flow, toPort: 53 }))
      port.send(udp({ from: '10.0.0.2', to: '10.0.0.1', fromPort: 53, toPort: flow }))
    }
  plane.loop.drain()
  t.deepEqual([...new Set(ports.values())], [6])
  t.true(Math.abs(ports.size - 500) < 70, `${ports.size} flows of 2000`)
  t.is(plane.pool.leases, 0)
})

test('each subscription counts by itself', t => {
  const { queue, run } = bench({ burst: 3 })
  const [a, b] = [collector(), collector()]
  const third = sample(3)
  merge(queue.pipe(third, tapPackets(a.note)), queue.pipe(third, tapPackets(b.note))).subscribe()
  run(9)
  t.deepEqual(
    [a.flat(), b.flat()],
    [
      [0, 3, 6],
      [0, 3, 6],
    ],
  )
})

test('every packet of 1 in 1; what can not be taken is refused', t => {
  for (const by of ['count', 'random', 'flow'] as const) {
    const { queue, run } = bench()
    const seen = collector()
    queue.pipe(sample({ every: 1, by }), tapPackets(seen.note)).subscribe()
    run(4)
    t.deepEqual(seen.flat(), upTo(4), by)
  }
  for (const every of [0, -1, 0.5, Number.NaN, 1.5]) t.throws(() => sample(every), { instanceOf: RangeError })
  t.notThrows(() => sample({ every: 1.5, by: 'flow' }))
})
