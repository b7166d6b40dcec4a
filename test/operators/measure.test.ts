// measure: what it tells, to whom, and that nothing else changes.
import test from 'ava'
import { Subject, type Subscription } from 'rxjs'
import { enqueue, type Measurement, measure, tapPackets } from '../../src/operators/index.js'
import { bench, marbles, upTo } from './bench.js'

test('hands on what it gets', t => {
  marbles(
    t,
    measure(() => {}),
    {
      source: '--3--1--|',
      result: '--a--b--|',
      values: { a: '0 1 2', b: '3' },
    },
  )
})

test('counts packets, bytes and the time that what follows takes, from zero in each subscription', t => {
  const { queue, run } = bench({ burst: 4 })
  let time = 100
  const told: Measurement[] = []
  const measured = queue.pipe(
    measure(m => told.push(m), { now: () => time }),
    tapPackets(() => {
      time += 2
    }),
  )
  for (let i = 0; i < 2; i++) {
    const running = measured.subscribe()
    run(6)
    running.unsubscribe()
  }
  const expected = [
    { packets: 4, bytes: 256, busy: 8, totalPackets: 4, totalBytes: 256, totalBusy: 8, elapsed: 8 },
    { packets: 2, bytes: 128, busy: 4, totalPackets: 6, totalBytes: 384, totalBusy: 12, elapsed: 12 },
  ]
  t.deepEqual(told, [...expected, ...expected])
})

test('single packets are a measurement each', t => {
  const { queue, run } = bench()
  const told: number[][] = []
  queue.packets.pipe(measure(m => told.push([m.packets, m.bytes, m.totalPackets]))).subscribe()
  run(2)
  t.deepEqual(told, [
    [1, 64, 1],
    [1, 64, 2],
  ])
})

test('an observer gets the end as well', t => {
  const { queue, from, run } = bench()
  const seen: (number | string)[] = []
  const subject = new Subject<Measurement>()
  subject.subscribe({ next: m => seen.push(m.packets), complete: () => seen.push('end') })
  queue.pipe(measure(subject)).subscribe()
  run(5)
  from.source.close()
  t.deepEqual(seen, [5, 'end'])
})

test('an observer that throws fails the subscription, and costs no packet', t => {
  const { queue, to, run, got, leases, drops } = bench({ burst: 4 })
  const errors: string[] = []
  const bad = (): void => {
    throw new Error('observer')
  }
  queue.pipe(measure(bad), enqueue(to.sink)).subscribe({ error: error => errors.push(error.message) })
  run(8)
  t.deepEqual(errors, ['observer'])
  t.deepEqual(got(), upTo(4))
  queue.pipe(enqueue(to.sink)).subscribe()
  run(0)
  t.deepEqual(got(), upTo(8))
  t.deepEqual(drops(), {})
  t.is(leases(), 0)
})

test('unsubscribing from inside the observer is fine', t => {
  const { queue, run, leases } = bench({ burst: 4 })
  const running: Subscription = queue.pipe(measure(() => running.unsubscribe())).subscribe()
  run(8)
  t.is(queue.stats.packets, 4)
  t.is(leases(), 0)
})
