// The leases through rxjs's own operators: several subscribers of one stream.
import test from 'ava'
import { map, merge } from 'rxjs'
import { groupBy, mergeMap, share, shareReplay } from 'rxjs/operators'
import { enqueue, filterPackets, mapPackets, release, retain, tapPackets } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import { fakeToGuest, numberOf } from '../../src/testing/index.js'
import { bench, collector, upTo } from './bench.js'

test('merge: two branches of one queue see the same packets, each once', t => {
  const { queue, to, run, got, leases } = bench({ burst: 8 })
  const even = filterPackets(packet => numberOf(packet) % 2 === 0)
  const odd = filterPackets(packet => numberOf(packet) % 2 > 0)
  merge(queue.pipe(even), queue.pipe(odd)).pipe(enqueue(to.sink)).subscribe()
  run(100)
  t.deepEqual(
    got().sort((a, b) => a - b),
    upTo(100),
  )
  t.is(leases(), 0)
})

test('share: one subscription upstream, the slowest branch governs by its leases', t => {
  const { plane, queue, from, to, run, got, leases } = bench({ highWaterMark: 32, burst: 8 }, 0)
  const fast = collector()
  let looked = 0
  const shared = queue.pipe(
    tapPackets(() => looked++),
    share(),
  )
  shared.pipe(tapPackets(fast.note)).subscribe()
  shared.pipe(enqueue(to.sink)).subscribe()
  run(100)
  t.is(looked, 32)
  t.is(from.port.waiting, 68)
  while (got().length < 100) {
    to.port.post(16)
    plane.loop.drain()
  }
  t.deepEqual(fast.flat(), upTo(100))
  t.deepEqual(got(), upTo(100))
  t.is(looked, 100)
  t.is(leases(), 0)
})

test('share, then retain in one branch: its leases are its own', t => {
  const { queue, run, leases } = bench({ burst: 8 })
  const held: { release(): void }[] = []
  const shared = queue.pipe(share())
  const other = collector()
  const keeping = shared.pipe(retain()).subscribe(burst => held.push(burst))
  shared.subscribe(other.note)
  run(16)
  t.is(leases(), 16)
  held[0].release()
  t.is(leases(), 8)
  keeping.unsubscribe()
  t.is(leases(), 0)
  t.deepEqual(other.flat(), upTo(16))
})

test('an operator that edits does so for its own branch only', t => {
  const { queue, run } = bench()
  const seen = [collector(), collector(), collector()]
  const shared = queue.pipe(share())
  shared.pipe(tapPackets(seen[0].note)).subscribe()
  shared
    .pipe(
      mapPackets(packet => packet.setUint32(14, 7)),
      tapPackets(seen[1].note),
    )
    .subscribe()
  shared.pipe(tapPackets(seen[2].note)).subscribe()
  run(3)
  t.deepEqual(
    seen.map(side => side.flat()),
    [upTo(3), [7, 7, 7], upTo(3)],
  )
})

test('shareReplay of borrows: a late subscriber gets a burst that throws on use', t => {
  const { queue, run } = bench()
  const replayed = queue.pipe(shareReplay(1))
  const codes: unknown[] = []
  const use = (burst: Burst): void => {
    try {
      codes.push(burst.length)
    } catch (error) {
      codes.push((error as { code: string }).code)
    }
  }
  replayed.subscribe(use)
  run(5)
  replayed.subscribe(use)
  t.deepEqual(codes, [5, 'ERR_VHOST_LEASE_ENDED'])
})

test('groupBy: packets by flow, each group into its own sink, in order', t => {
  const { plane, queue, run, leases } = bench()
  const sinks = upTo(3).map(() => fakeToGuest(plane, { size: 1 << 10, room: 1 << 10 }))
  queue.packets
    .pipe(
      groupBy(packet => numberOf(packet) % 3),
      mergeMap(flow => flow.pipe(enqueue(sinks[flow.key].sink))),
    )
    .subscribe()
  run(90)
  sinks.forEach((sink, key) => {
    t.deepEqual(
      sink.port.received.map(numberOf),
      upTo(90).filter(n => n % 3 === key),
    )
  })
  t.is(leases(), 0)
})

test('groupBy of leases: the groups may be slow', t => {
  const { queue, run, leases } = bench()
  const seen = collector()
  const running = queue.packets
    .pipe(
      retain(),
      groupBy(packet => numberOf(packet) % 2),
      mergeMap(flow => flow.pipe(release(), map(numberOf))),
    )
    .subscribe(n => seen.all.push([n]))
  run(10)
  t.deepEqual(seen.flat(), upTo(10))
  running.unsubscribe()
  t.is(leases(), 0)
})
