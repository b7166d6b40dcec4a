// The leases through rxjs's operators that keep something for later: between retain() and release() nothing is lost,
// reordered or leaked, and the credit bounds what they keep; without, a late use throws.
import test from 'ava'
import { type MonoTypeOperatorFunction, timer, VirtualTimeScheduler } from 'rxjs'
import {
  bufferCount,
  bufferTime,
  concatMap,
  delay,
  exhaustMap,
  finalize,
  map,
  mergeMap,
  observeOn,
  switchMap,
} from 'rxjs/operators'
import { enqueue, release, retain } from '../../src/operators/index.js'
import type { Burst, HeldBurst } from '../../src/packet/burst.js'
import { bench, upTo } from './bench.js'

type Steps = (time: VirtualTimeScheduler) => MonoTypeOperatorFunction<HeldBurst>

const steps: Record<string, Steps> = {
  delay: time => delay(10, time),
  observeOn: time => observeOn(time),
  concatMap: time => concatMap(held => timer(3, time).pipe(map(() => held))),
  'mergeMap of equal times': time => mergeMap(held => timer(3, time).pipe(map(() => held))),
  bufferCount: () => source =>
    source.pipe(
      bufferCount(2),
      mergeMap(all => all),
    ),
  bufferTime: time => source =>
    source.pipe(
      bufferTime(7, time),
      mergeMap(all => all),
    ),
}

for (const [name, step] of Object.entries(steps)) {
  test(`retain, ${name}, release: nothing lost, in order, within the credit`, t => {
    const time = new VirtualTimeScheduler(undefined, 0)
    const { plane, queue, to, run, got, leases } = bench({ highWaterMark: 64, burst: 16 })
    const running = queue.pipe(retain(), step(time), release(), enqueue(to.sink)).subscribe()
    run(320)
    t.true(queue.stats.held <= 64)
    for (let i = 0; i < 200 && got().length < 320; i++) {
      time.maxFrames += 5
      time.flush()
      plane.loop.drain()
      t.true(queue.stats.held <= 64)
    }
    t.deepEqual(got(), upTo(320))
    running.unsubscribe()
    t.is(leases(), 0)
  })

  test(`retain, ${name}: an unsubscription releases what it kept`, t => {
    const time = new VirtualTimeScheduler(undefined, 0)
    const { queue, run, leases } = bench({ burst: 16 })
    const running = queue.pipe(retain(), step(time), release()).subscribe()
    run(48)
    running.unsubscribe()
    t.is(leases(), 0)
  })
}

test('delay without retain: the late use throws, and says what to do', t => {
  const time = new VirtualTimeScheduler()
  const { queue, run, leases } = bench()
  const errors: { code?: string; fix?: string }[] = []
  queue
    .pipe(
      delay(10, time),
      map(burst => burst.length),
    )
    .subscribe({ error: error => errors.push(error) })
  run(5)
  time.flush()
  t.is(errors[0].code, 'ERR_VHOST_LEASE_ENDED')
  t.regex(errors[0].fix ?? '', /retain/)
  t.is(leases(), 0)
})

// These two run their project function at once for those that they take, so a lease may be taken there.
const slow = (time: VirtualTimeScheduler) => (burst: Burst) => {
  const held = burst.retain('slow')
  return timer(10, time).pipe(
    map(() => held.length),
    finalize(() => held.release()),
  )
}

test('exhaustMap: what comes while it is busy is not kept, and holds no credit', t => {
  const time = new VirtualTimeScheduler()
  const { queue, from, run, leases } = bench({ highWaterMark: 64, burst: 16 })
  const seen: number[] = []
  queue.pipe(exhaustMap(slow(time))).subscribe(n => seen.push(n))
  run(320)
  t.is(from.port.waiting, 0)
  t.is(leases(), 16)
  time.flush()
  t.deepEqual(seen, [16])
  t.is(leases(), 0)
})

test('switchMap: a newer burst ends the lease on the older', t => {
  const time = new VirtualTimeScheduler()
  const { queue, run, leases } = bench({ highWaterMark: 64, burst: 16 })
  const seen: number[] = []
  queue.pipe(switchMap(slow(time))).subscribe(n => seen.push(n))
  run(320)
  t.is(leases(), 16)
  time.flush()
  t.deepEqual(seen, [16])
  t.is(leases(), 0)
})

test('retain before exhaustMap strands what that ignores: the queue stalls, and says who', t => {
  const time = new VirtualTimeScheduler()
  const stalled: unknown[] = []
  const options = { highWaterMark: 64, burst: 16, onStalled: (s: unknown) => stalled.push(s) }
  const { plane, queue, run, leases } = bench(options)
  const running = queue
    .pipe(
      retain('recorder'),
      exhaustMap(() => timer(1e6, time)),
    )
    .subscribe()
  run(320)
  plane.loop.advance(5000)
  t.deepEqual(stalled, [{ held: 64, holders: { recorder: 4 } }])
  running.unsubscribe()
  t.is(leases(), 0)
})
