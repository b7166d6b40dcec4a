// Statistics of queues on rings in memory: stalls, latencies, resets, sums, and stats$ in virtual time.
import test from 'ava'
import { map, type Observable, type Subscription } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { enqueue, release, retain } from '../../src/operators/index.js'
import type { StatsSample } from '../../src/queue/meter.js'
import type { QueueStats } from '../../src/queue/stats.js'
import { FakePort } from '../../src/testing/fake-port.js'
import { fakeFromGuest, fakePlane, fakeToGuest, frame, frames, marbles } from '../../src/testing/index.js'

const within = (ns: number, value: number): boolean => value >= ns && value <= ns * 1.125

test('a kick is one entry of the histogram: from when it is seen to the dequeue that answers it', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { poll: 'interrupt' })
  from.queue.subscribe()
  plane.loop.drain()
  for (let n = 0; n < 20; n++) {
    from.port.send(frame(n))
    // The loop is busy elsewhere meanwhile, and a second kick waits for the same dequeue.
    plane.loop.time += 2
    from.port.kick()
    plane.loop.drain()
  }
  const { kicks, kickToDequeue, packets } = from.queue.stats
  t.deepEqual([packets, kicks, kickToDequeue.count], [20, 40, 20])
  t.true(within(2_000_000, kickToDequeue.p50), `${kickToDequeue.p50}`)
})

test('a kick before anyone subscribes is no latency', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { poll: 'interrupt' })
  from.port.kick()
  plane.loop.advance(100)
  from.queue.subscribe()
  plane.loop.drain()
  t.deepEqual([from.queue.stats.kicks, from.queue.stats.kickToDequeue.count], [1, 0])
})

test('enqueue to call: 0 for packets that are enqueued at once; queued packets count from their arrival', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { burst: 4 })
  const to = fakeToGuest(plane, { room: 4 })
  from.queue.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(4))
  plane.loop.drain()
  t.deepEqual([to.sink.stats.enqueueToCall.count, to.sink.stats.enqueueToCall.max], [1, 0])
  from.port.send(...frames(4, 4))
  plane.loop.drain()
  plane.loop.advance(30)
  from.port.send(...frames(4, 8))
  plane.loop.drain()
  plane.loop.advance(10)
  t.is(to.sink.stats.held, 8)
  t.is(to.sink.stats.roomStalls, 1)
  to.port.post(4)
  plane.loop.drain()
  t.true(within(40e6, to.sink.stats.enqueueToCall.max), `${to.sink.stats.enqueueToCall.max}`)
  const before = to.sink.stats
  to.sink.resetStats()
  to.port.post(4)
  plane.loop.drain()
  t.is(before.enqueueToCall.count + to.sink.stats.enqueueToCall.count, 3)
  t.true(within(10e6, to.sink.stats.enqueueToCall.max), `${to.sink.stats.enqueueToCall.max}`)
})

test('single packets that are gathered in a turn wait for its end', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane)
  const to = fakeToGuest(plane, { room: 64 })
  from.queue.packets.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(32))
  plane.loop.drain()
  const { count, max } = to.sink.stats.enqueueToCall
  t.deepEqual([count, max, to.sink.stats.packets], [1, 0, 32])
})

test('a credit stall is counted when dequeuing stops, not for each packet that waits', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { highWaterMark: 8 })
  const held: { release(): void }[] = []
  from.queue.pipe(retain()).subscribe(burst => held.push(burst))
  from.port.send(...frames(40))
  plane.loop.drain()
  t.deepEqual([from.queue.stats.creditStalls, from.queue.stats.packets], [1, 8])
  for (let round = 2; round <= 4; round++) {
    for (const burst of held.splice(0)) burst.release()
    plane.loop.drain()
    t.deepEqual([from.queue.stats.creditStalls, from.queue.stats.packets], [round, 8 * round])
  }
  for (const burst of held.splice(0)) burst.release()
})

test('a reset begins at zero, for its own queue only, and does not change held', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane, { highWaterMark: 100 })
  const held: { release(): void }[] = []
  from.queue.pipe(retain()).subscribe(burst => held.push(burst))
  from.port.send(...frames(5))
  plane.loop.drain()
  from.queue.resetStats()
  t.like(from.queue.stats, { packets: 0, good_bytes: 0, size_64_packets: 0, bursts: 0, held: 5, drops: {} })
  from.port.send(...frames(2))
  plane.loop.drain()
  t.like(from.queue.stats, { packets: 2, good_bytes: 128, size_64_packets: 2, held: 7 })
  for (const burst of held.splice(0)) burst.release()
})

test('the counts of a queue go on over its rings', t => {
  const plane = fakePlane()
  const from = fakeFromGuest(plane)
  from.queue.subscribe(() => {})
  from.port.send(...frames(3))
  plane.loop.drain()
  from.source.detach()
  t.like(from.queue.stats, { packets: 3, size_64_packets: 3 })
  const next = new FakePort(plane.pool)
  from.source.attach(next)
  next.send(...frames(2))
  plane.loop.drain()
  t.like(from.queue.stats, { packets: 5, size_64_packets: 5 })
})

const packetsOf = <S extends QueueStats>(samples: Observable<StatsSample<S>>): Observable<string> =>
  samples.pipe(
    map(({ seconds, total, change, perSecond }) =>
      [seconds, total.packets, change.packets, perSecond.packets, perSecond.bits].join(' '),
    ),
  )

test('stats$ emits the change in each interval, in virtual time', t =>
  marbles(
    h => {
      const from = h.fakeQueue('            3-2--1')
      const to = h.fakeSink('               9')
      h.expectBursts(from.queue.pipe(enqueue(to.sink))).toBe('')
      h.expectObservable(packetsOf(from.queue.stats$(4)), '^------------!').toBe('----a---b---c', {
        a: '0.004 5 5 1250 640000',
        b: '0.004 6 1 250 128000',
        c: '0.004 6 0 0 0',
      })
      h.expectObservable(packetsOf(to.sink.stats$(4)), '-----^----!').toBe('---------s', {
        s: '0.004 6 1 250 128000',
      })
    },
    { equal: t.deepEqual },
  ))

test('stats$ takes a scheduler, and starts nothing', t => {
  const scheduler = new TestScheduler(t.deepEqual)
  const plane = fakePlane()
  const from = fakeFromGuest(plane)
  const seen: number[] = []
  const running: Subscription = from.queue.stats$(1000, scheduler).subscribe(({ time, change }) => {
    seen.push(time, change.packets)
    if (time === 3000) running.unsubscribe()
  })
  from.port.send(frame())
  plane.loop.drain()
  scheduler.maxFrames = 10_000
  scheduler.flush()
  t.deepEqual(seen, [1000, 0, 2000, 0, 3000, 0])
  t.is(from.port.waiting, 1)
  t.throws(() => from.queue.stats$(0), { instanceOf: RangeError })
})

test('a device has both directions, and its stats$ ends with it', t =>
  marbles(
    h => {
      const device = h.fakeDevice({ traffic: '4', room: '2', life: 'r----|' })
      h.expectBursts(device.fromGuest().pipe(retain(), release(), enqueue(device.toGuest())), '^-----!').toBe(
        '-----|',
      )
      const sums = device
        .stats$(2)
        .pipe(map(({ fromGuest, toGuest }) => `${fromGuest.total.packets} ${toGuest.change.packets}`))
      h.expectObservable(sums).toBe('--a-b|', { a: '4 2', b: '4 0' })
      h.flush()
      t.is(device.stats.toGuest.drops.gone, 2)
    },
    { equal: t.deepEqual },
  ))
