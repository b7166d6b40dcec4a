// rebatch: sizes, waiting, and what becomes of what waits.
import test from 'ava'
import { NEVER, of, throwError } from 'rxjs'
import { catchError, concatWith, take } from 'rxjs/operators'
import { enqueue, rebatch } from '../../src/operators/index.js'
import { bench, collector, marbles, upTo } from './bench.js'

test('gathers packets into bursts of one size; what is left comes at the end', t => {
  marbles(t, rebatch(3), {
    source: '--2-1----3--1--|',
    result: '----a----b-----(c|)',
    values: { a: '0 1 2', b: '3 4 5', c: '6' },
  })
})

test('cuts larger bursts', t => {
  marbles(t, rebatch(2), {
    source: '--5----1-----|',
    result: '--(ab)-c-----|',
    values: { a: '0 1', b: '2 3', c: '4 5' },
  })
})

test('maxWait: a burst that is not full goes that long after its first packet', t => {
  marbles(t, rebatch(4, { maxWait: 5 }), {
    source: '--2-1------4-1--------|',
    result: '-------a---b------c---|',
    values: { a: '0 1 2', b: '3 4 5 6', c: '7' },
  })
})

test('an empty source, and a silent one', t => {
  marbles(t, rebatch(4, { maxWait: 5 }), { source: '----|', result: '----|' })
  marbles(t, rebatch(4, { maxWait: 5 }), { source: '-----', result: '-----', unsubscribe: '----!' })
})

test('a full burst passes as it is: no lease, no second handle', t => {
  const { queue, plane, run } = bench({ burst: 8 })
  let leases = 0
  queue.pipe(rebatch(8)).subscribe(burst => {
    leases = Math.max(leases, plane.pool.meta[plane.pool.exchange[0] * 8 + 3])
    t.is(burst.length, 8)
  })
  run(64)
  t.is(leases, 1)
})

test('an unsubscription drops what waits, counted', t => {
  const made = marbles(t, rebatch(4), { source: '-3------', result: '--------', unsubscribe: '---!' })
  t.deepEqual(made.drops(), { unsubscribed: 3 })
})

test('what waits is emitted before an error', t => {
  const { queue, run, leases } = bench({ burst: 3 })
  const seen = collector()
  queue
    .pipe(
      take(1),
      concatWith(throwError(() => new Error('upstream'))),
      rebatch(8),
      catchError(() => of()),
    )
    .subscribe(seen.note)
  run(3)
  t.deepEqual(seen.all, [upTo(3)])
  t.is(leases(), 0)
})

test('more packets than the credit stall the queue, and the stall names rebatch()', t => {
  const stalled: unknown[] = []
  const { queue, plane, run, from } = bench({ highWaterMark: 16, burst: 8, onStalled: s => stalled.push(s) })
  const running = queue.pipe(rebatch(32)).subscribe()
  run(100)
  t.is(from.port.waiting, 84)
  plane.loop.advance(2000)
  t.deepEqual(stalled, [{ held: 16, holders: { 'rebatch()': 1 } }])
  running.unsubscribe()
  t.is(plane.pool.leases, 0)
})

test('packets become bursts again', t => {
  const { queue, to, run, got, leases } = bench()
  const running = queue.packets.pipe(rebatch(16), enqueue(to.sink)).subscribe()
  run(64)
  t.is(to.port.calls.enqueue, 4)
  t.deepEqual(got(), upTo(64))
  running.unsubscribe()
  t.is(leases(), 0)
})

test('a size that is none is refused', t => {
  for (const size of [0, -1, 1.5, Number.NaN]) t.throws(() => rebatch(size), { instanceOf: RangeError })
  t.notThrows(() => NEVER.pipe(rebatch(1)))
})
