// The leases through rxjs's operators that end a subscription, and begin another: what nobody was given stays with the
// queue, so that a pipeline may be ended, retried, repeated or swapped under traffic.
import test from 'ava'
import fc from 'fast-check'
import { type MonoTypeOperatorFunction, Subject, Subscription } from 'rxjs'
import { catchError, repeat, retry, switchMap, take, takeUntil } from 'rxjs/operators'
import {
  enqueue,
  filterPackets,
  mapPackets,
  processPackets,
  rebatch,
  tapPackets,
} from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import { numberOf } from '../../src/testing/index.js'
import { bench, upTo } from './bench.js'

test('take: the guest keeps the rest', t => {
  const { queue, to, from, run, got, leases } = bench({ burst: 8 })
  queue.pipe(take(2), enqueue(to.sink)).subscribe()
  run(100)
  t.deepEqual(got(), upTo(16))
  t.is(from.port.waiting, 84)
  queue.packets.pipe(take(3), enqueue(to.sink)).subscribe()
  run(0)
  t.deepEqual(got(), upTo(19))
  t.is(from.source.unseen, 5)
  queue.pipe(enqueue(to.sink)).subscribe()
  run(0)
  t.deepEqual(got(), upTo(100))
  t.is(leases(), 0)
})

test('take before something that ends later than it: the guest keeps the rest', t => {
  for (const late of ['a full sink', 'work'] as const) {
    const { queue, to, from, plane, run, got, leases } = bench({ burst: 8 }, 4)
    const work = new Subject<void>()
    const until = queue.pipe(
      take(2),
      late === 'work' ? processPackets(() => work) : filterPackets(() => true),
    )
    let completed = false
    until.pipe(enqueue(to.sink)).subscribe({
      complete: () => {
        completed = true
      },
    })
    run(100)
    t.is(from.port.waiting, 84, late)
    t.false(completed)
    work.next()
    to.port.post(100)
    plane.loop.drain()
    t.deepEqual(got(), upTo(16), late)
    t.true(completed)
    t.is(leases(), 0)
  }
})

test('takeUntil, from inside a burst: nothing is lost, nothing comes twice', t => {
  for (const at of [0, 3, 7]) {
    const { queue, to, run, got, leases } = bench({ burst: 8 })
    const stop = new Subject<void>()
    queue
      .pipe(
        tapPackets(packet => {
          if (numberOf(packet) === at) stop.next()
        }),
        takeUntil(stop),
        enqueue(to.sink),
      )
      .subscribe()
    run(40)
    queue.pipe(enqueue(to.sink)).subscribe()
    run(0)
    t.deepEqual(got(), upTo(40))
    t.is(leases(), 0)
  }
})

test('catchError: another pipeline goes on behind the packet that failed', t => {
  const { queue, to, run, got, drops, leases } = bench({ burst: 8 })
  const bad = filterPackets(packet => {
    if (numberOf(packet) === 11) throw new Error('predicate')
    return true
  })
  queue
    .pipe(
      bad,
      catchError(() => queue),
      enqueue(to.sink),
    )
    .subscribe()
  run(40)
  t.deepEqual(
    got(),
    upTo(40).filter(n => n !== 11),
  )
  t.deepEqual(drops(), { 'pipeline-error': 1 })
  t.is(leases(), 0)
})

test('retry: a predicate that always throws costs one packet a subscription, and ends', t => {
  const { queue, run, drops, from, leases } = bench({ burst: 8 })
  const bad = filterPackets(() => {
    throw new Error('predicate')
  })
  queue.pipe(bad, retry(20)).subscribe({ error: () => {} })
  run(100)
  t.deepEqual(drops(), { 'pipeline-error': 21 })
  t.is(from.port.waiting + from.source.unseen, 79)
  t.is(leases(), from.source.unseen)
})

test('repeat: one burst a subscription, all arrive', t => {
  const { queue, to, run, got, leases } = bench({ burst: 8 })
  queue.pipe(take(1), repeat(), enqueue(to.sink)).subscribe()
  run(100)
  t.deepEqual(got(), upTo(100))
  t.is(leases(), 0)
})

test('switchMap between two pipelines 1,000 times under traffic: nothing lost, nothing reordered', t => {
  const { plane, queue, from, to, send, got, leases } = bench({ burst: 16, highWaterMark: 64 }, 0)
  const choice = new Subject<number>()
  let swaps = 0
  const swap = (): void => {
    if (swaps < 1000) choice.next(swaps++)
  }
  const random = randomNumbers()
  choice
    .pipe(
      switchMap(which =>
        which % 2 === 0
          ? queue.pipe(
              filterPackets(() => {
                // From inside a burst, now and then.
                if (random(10) === 0) swap()
                return true
              }),
              enqueue(to.sink),
            )
          : queue.packets.pipe(
              mapPackets(() => {}),
              enqueue(to.sink),
            ),
      ),
    )
    .subscribe()
  swap()
  let sent = 0
  while (swaps < 1000) {
    const count = random(40)
    const before = from.port.waiting
    send(count)
    sent += from.port.waiting - before
    to.port.post(random(40))
    for (let i = random(4); i > 0; i--) plane.loop.turn()
    swap()
  }
  to.port.post(1 << 20)
  plane.loop.drain()
  t.is(got().length, sent)
  t.deepEqual(got(), upTo(sent))
  t.is(leases(), 0)
})

test('random pipelines, ended at any packet: what nobody was given comes next', t => {
  const kinds = fc.constantFrom('filter', 'map', 'place', 'tap', 'batch')
  const end = fc.record({ at: fc.nat(30), fails: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(kinds, { maxLength: 4 }),
      fc.nat(4),
      fc.array(end, { maxLength: 12 }),
      (names, where, ends) => {
        const { queue, to, run, got, drops, from, leases } = bench({ burst: 8 })
        let running = new Subscription()
        let left = -1
        let fails = false
        const made: Record<string, () => MonoTypeOperatorFunction<Burst>> = {
          filter: () => filterPackets(() => true),
          map: () => mapPackets(() => {}),
          place: () => mapPackets(() => {}, { inPlace: true }),
          tap: () => tapPackets(() => {}),
          batch: () => source => source.pipe(rebatch(8)),
          end: () =>
            filterPackets(() => {
              if (left-- !== 0) return true
              if (fails) throw new Error('end')
              running.unsubscribe()
              return true
            }),
        }
        // What ends behind rebatch() loses what that kept, counted.
        const list = [...names.slice(0, where), 'end', ...names.slice(where)]
        const pipeline = list.reduce((source, name) => source.pipe(made[name]()), queue.pipe())
        for (const { at, fails: how } of ends) {
          left = at
          fails = how
          running = pipeline.pipe(enqueue(to.sink)).subscribe({ error: () => {} })
          run(16)
          running.unsubscribe()
        }
        left = -1
        queue.pipe(enqueue(to.sink)).subscribe()
        run(0)
        const lost = Object.values(drops()).reduce((sum, count) => sum + count, 0)
        if (got().some((n, i) => i > 0 && n <= got()[i - 1])) throw new Error(`not in order: ${got()}`)
        if (got().length + lost !== 16 * ends.length)
          throw new Error(`${got().length} + ${lost} of ${16 * ends.length}`)
        if (!names.includes('batch') && (drops().unsubscribed ?? 0) > 0) throw new Error('lost')
        if (leases() !== 0 || from.source.unseen !== 0) throw new Error('leases are left')
      },
    ),
    { numRuns: 300 },
  )
  t.pass()
})

// The same numbers in every run.
function randomNumbers(): (below: number) => number {
  let state = 12345
  return below => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
}
