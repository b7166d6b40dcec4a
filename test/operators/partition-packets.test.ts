// partitionPackets: one subscription, one call of the predicate a packet, nothing lost between the two sides.
import test from 'ava'
import { merge, type Subscription } from 'rxjs'
import { finalize, retry } from 'rxjs/operators'
import { drop, enqueue, filterPackets, partitionPackets, tapPackets } from '../../src/operators/index.js'
import { fakeToGuest, numberOf } from '../../src/testing/index.js'
import { bench, collector, marbles, upTo } from './bench.js'

const even = (n: number): boolean => n % 2 === 0

test('the matching packets to one side, the others to the other', t => {
  for (const side of [0, 1]) {
    marbles(t, source => partitionPackets(source, packet => even(numberOf(packet)))[side], {
      source: '--4----1----1--|',
      result: ['--a----b-------|', '--a---------b--|'][side],
      values: [
        { a: '0 2', b: '4' },
        { a: '1 3', b: '5' },
      ][side],
    })
  }
})

test('one subscription to the source, one call of the predicate a packet', t => {
  const { queue, run, leases } = bench()
  let calls = 0
  let ended = 0
  const [yes, no] = partitionPackets(queue.pipe(finalize(() => ended++)), packet => {
    calls++
    return even(numberOf(packet))
  })
  const seen = [collector(), collector(), collector()]
  const running = [yes.subscribe(seen[0].note), no.subscribe(seen[1].note), no.subscribe(seen[2].note)]
  run(10)
  t.is(calls, 10)
  t.deepEqual(
    seen.map(side => side.flat()),
    [upTo(10).filter(even), ...[1, 2].map(() => upTo(10).filter(n => !even(n)))],
  )
  running[0].unsubscribe()
  running[1].unsubscribe()
  t.is(ended, 0)
  running[2].unsubscribe()
  t.is(ended, 1)
  t.is(leases(), 0)
})

test('packets of a side that nobody wants are counted', t => {
  const { queue, run, drops } = bench()
  const [yes] = partitionPackets(queue, packet => even(numberOf(packet)))
  const seen = collector()
  yes.subscribe(seen.note)
  run(10)
  t.deepEqual(drops(), { unsubscribed: 5 })
})

test('bursts and packets, two sinks: in order on each side, nothing left', t => {
  for (const form of ['bursts', 'packets'] as const) {
    const { plane, queue, to, run, got, leases } = bench()
    const other = fakeToGuest(plane, { size: 1 << 16, room: 1 << 16 })
    const source = form === 'bursts' ? queue.bursts : queue.packets
    const [yes, no] = partitionPackets<never>(source as never, packet => even(numberOf(packet)))
    merge(yes.pipe(enqueue(to.sink)), no.pipe(enqueue(other.sink))).subscribe()
    run(200)
    t.deepEqual(got(), upTo(200).filter(even))
    t.deepEqual(
      other.port.received.map(numberOf),
      upTo(200).filter(n => !even(n)),
    )
    t.is(leases(), 0)
  }
})

test('swapped inside a burst of one side, the other side’s packets of it are not lost and none comes twice', t => {
  for (const who of [0, 1]) {
    const { queue, run, leases, drops } = bench({ burst: 8 })
    const got: [number[], number[]] = [[], []]
    let running: Subscription | undefined
    const start = (): Subscription => {
      const sides = partitionPackets(queue, packet => numberOf(packet) % 3 !== 0)
      return merge(
        ...sides.map((side, i) => side.pipe(tapPackets(packet => got[i].push(numberOf(packet))))),
      ).subscribe(burst => {
        // Whoever comes first, or last, ends it all.
        if ((numberOf(burst.packet(0)) % 3 === 0) === (who === 1)) running?.unsubscribe()
      })
    }
    for (let i = 0; i < 12; i++) {
      running = start()
      run(i < 6 ? 8 : 0)
      running.unsubscribe()
    }
    running = undefined
    start()
    run(0)
    t.deepEqual(
      got[0],
      upTo(48).filter(n => n % 3 !== 0),
      `${who}`,
    )
    t.deepEqual(
      got[1],
      upTo(48).filter(n => n % 3 === 0),
      `${who}`,
    )
    t.is(leases(), 0)
    t.deepEqual(drops(), {})
  }
})

test('one side fails, at any packet: retry goes on with what neither was given', t => {
  const { queue, run, leases, drops } = bench({ burst: 8 })
  const got: [number[], number[]] = [[], []]
  const [yes, no] = partitionPackets(queue, packet => even(numberOf(packet)))
  const bad = [0, 3, 12, 17, 23]
  merge(
    ...[yes, no].map((side, i) =>
      side.pipe(
        filterPackets(packet => {
          if (bad.includes(numberOf(packet))) throw new Error('side')
          return true
        }),
        tapPackets(packet => got[i].push(numberOf(packet))),
      ),
    ),
  )
    .pipe(retry())
    .subscribe()
  run(32)
  const good = upTo(32).filter(n => !bad.includes(n))
  t.deepEqual(
    got[0].sort((a, b) => a - b),
    good.filter(even),
  )
  t.deepEqual(
    got[1].sort((a, b) => a - b),
    good.filter(n => !even(n)),
  )
  t.is(drops()['pipeline-error'], bad.length)
  t.is(leases(), 0)
})

test('a side may be dropped by name', t => {
  const { queue, run, drops, got, to } = bench()
  const [ip, others] = partitionPackets(queue, packet => even(numberOf(packet)))
  merge(ip.pipe(enqueue(to.sink)), others.pipe(drop('not-ip'))).subscribe()
  run(9)
  t.deepEqual(drops(), { 'not-ip': 4 })
  t.is(got().length, 5)
})
