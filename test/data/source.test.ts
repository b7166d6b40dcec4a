// The drain loop of a from-guest queue: when it runs, when it waits, and what an interruption leaves.
import test from 'ava'
import { merge, Observable } from 'rxjs'
import { map, retry, share, take } from 'rxjs/operators'
import { IDLE_KICKS, MUTE_MS } from '../../src/data/ring/kick-guard.js'
import type { Stalled } from '../../src/data/source/options.js'
import { STALLED_MS } from '../../src/data/source/stall-watch.js'
import { filterPackets, retain } from '../../src/operators/index.js'
import type { Burst, HeldBurst } from '../../src/packet/burst.js'
import { FakePort, fakeFromGuest, fakePlane, frame, frames, numberOf } from '../../src/testing/index.js'

const numbers = (burst: Burst | HeldBurst): number[] => [...burst].map(numberOf)
const upTo = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

function bench(options: Parameters<typeof fakeFromGuest>[1] = {}) {
  const plane = fakePlane()
  return { plane, ...fakeFromGuest(plane, options) }
}

test('the first drain is in a later turn, so that branches of a merge see the same packets', t => {
  const { plane, queue, port } = bench()
  port.send(...frames(4))
  const seen: number[][] = []
  merge(queue.pipe(map(numbers)), queue.pipe(map(numbers))).subscribe(value => seen.push(value))
  t.deepEqual(seen, [])
  plane.loop.drain()
  t.deepEqual(seen, [upTo(4), upTo(4)])
})

test('packets and bursts of one queue are the same packets', t => {
  const { plane, queue, port } = bench()
  const bursts: number[] = []
  const packets: number[] = []
  queue.subscribe(burst => bursts.push(...numbers(burst)))
  queue.packets.subscribe(packet => packets.push(numberOf(packet)))
  port.send(...frames(40))
  plane.loop.drain()
  t.deepEqual([bursts, packets], [upTo(40), upTo(40)])
  t.is(plane.pool.leases, 0)
})

test('with no subscriber packets stay in the ring, and kicks are suppressed', t => {
  const { plane, queue, port } = bench()
  const running = queue.subscribe()
  plane.loop.drain()
  t.true(port.armed)
  running.unsubscribe()
  t.false(port.armed)
  port.send(...frames(3))
  plane.loop.drain()
  t.is(port.waiting, 3)
})

test('subscribers that hold their leases stop the dequeue at the credit, and it resumes at half', t => {
  const { plane, queue, port } = bench({ highWaterMark: 64, burst: 32 })
  const held: HeldBurst[] = []
  queue.subscribe(burst => held.push(burst.retain()))
  port.sendSame(frame(), 1000)
  plane.loop.drain()
  t.is(plane.pool.leases, 64)
  t.is(queue.stats.held, 64)
  const { dequeue } = port.calls
  held.shift()?.release()
  t.is(port.calls.dequeue, dequeue, 'a release never emits')
  plane.loop.drain()
  t.is(plane.pool.leases, 64, 'half is free: it went on')
  for (const burst of held.splice(0)) burst.release()
  plane.loop.drain()
  t.is(queue.stats.packets, 32 * 5)
})

test('credit counts bytes as well', t => {
  const { plane, queue, port } = bench({ highWaterBytes: 10_000 })
  queue.subscribe(burst => void burst.retain())
  port.sendSame(frame(0, { length: 1500 }), 100)
  plane.loop.drain()
  t.is(plane.pool.leases, 7)
})

test('a pool without slots counts as zero credit', t => {
  const plane = fakePlane({ bytes: 1 << 20 })
  const { queue, port } = fakeFromGuest(plane)
  const held: HeldBurst[] = []
  queue.subscribe(burst => held.push(burst.retain()))
  port.sendSame(frame(0, { length: 5000 }), 100)
  plane.loop.drain()
  t.is(plane.pool.leases, 8)
  for (const burst of held.splice(0)) burst.release()
  plane.loop.drain()
  t.is(queue.stats.packets, 16)
})

test('stalled: no credit and no release for a while is reported once, with the holders', t => {
  const reports: Stalled[] = []
  const { plane, queue, port } = bench({ highWaterMark: 32, onStalled: stalled => reports.push(stalled) })
  const held: HeldBurst[] = []
  const running = queue.pipe(retain('recorder')).subscribe(burst => held.push(burst as HeldBurst))
  port.sendSame(frame(), 1000)
  plane.loop.advance(STALLED_MS - 1)
  t.deepEqual(reports, [])
  plane.loop.advance(STALLED_MS * 3)
  t.deepEqual(reports, [{ held: 32, holders: { recorder: 1 } }])
  running.unsubscribe()
  t.is(plane.pool.leases, 0)
})

for (const poll of ['adaptive', 'interrupt', 'busy'] as const) {
  test(`poll: ${poll}`, t => {
    const { plane, queue, port } = bench({ poll })
    const running = queue.subscribe()
    port.send(...frames(3))
    plane.loop.turn()
    t.is(queue.stats.packets, 3)
    plane.loop.turn()
    t.is(port.armed, poll === 'interrupt')
    for (let i = 0; i < 20; i++) plane.loop.turn()
    t.is(port.armed, poll !== 'busy')
    t.is(plane.loop.idle, poll !== 'busy')
    port.send(...frames(3))
    for (let i = 0; i < 20; i++) plane.loop.turn()
    t.is(queue.stats.packets, 6)
    running.unsubscribe()
    plane.loop.drain()
  })
}

test('a busy queue spins at its empty ring only while no other queue waits for a visit', t => {
  const { plane, queue, port } = bench({ poll: 'busy' })
  const other = fakeFromGuest(plane, { poll: 'busy' })
  const first = queue.subscribe()
  for (let i = 0; i < 3; i++) plane.loop.turn()
  t.true(port.calls.spinDequeue > 0)
  const second = other.queue.subscribe()
  plane.loop.turn()
  const { spinDequeue } = port.calls
  for (let i = 0; i < 5; i++) plane.loop.turn()
  t.deepEqual([port.calls.spinDequeue, other.port.calls.spinDequeue], [spinDequeue, 0])
  second.unsubscribe()
  for (let i = 0; i < 3; i++) plane.loop.turn()
  t.true(port.calls.spinDequeue > spinDequeue)
  first.unsubscribe()
})

test('packets that come between the last dequeue and arming are not missed', t => {
  const { plane, queue, port } = bench({ poll: 'interrupt' })
  queue.subscribe()
  const arm = port.arm.bind(port)
  let late = true
  port.arm = () => {
    if (late) port.send(frame())
    late = false
    return arm()
  }
  plane.loop.drain()
  t.is(queue.stats.packets, 1)
})

test('N2: an unsubscription inside a burst leaves the rest to the next subscriber, before newer packets', t => {
  const { plane, queue, port } = bench()
  port.send(...frames(8))
  const first: number[] = []
  const running = queue.packets.subscribe(packet => {
    first.push(numberOf(packet))
    if (first.length === 3) running.unsubscribe()
  })
  plane.loop.drain()
  t.is(queue.stats.held, 5)
  port.send(...frames(2, 8))
  const second: number[] = []
  queue.subscribe(burst => second.push(...numbers(burst)))
  plane.loop.drain()
  t.deepEqual([first, second], [upTo(3), upTo(7, 3)])
  t.is(plane.pool.leases, 0)
})

test('N1: a subscriber that throws is reported the RxJS way, the others get all, nothing leaks', async t => {
  const { plane, queue, port } = bench()
  const reported: unknown[] = []
  const { config } = await import('rxjs')
  config.onUnhandledError = error => reported.push(error)
  const seen: number[] = []
  queue.packets.subscribe(packet => {
    if (numberOf(packet) === 2) throw new Error('subscriber')
  })
  queue.packets.subscribe(packet => seen.push(numberOf(packet)))
  port.send(...frames(5))
  plane.loop.drain()
  await new Promise(resolve => setTimeout(resolve))
  config.onUnhandledError = null
  t.deepEqual(seen, upTo(5))
  t.is(reported.length, 1)
  t.is(plane.pool.leases, 0)
})

test('a predicate behind share() that throws does not give the other branch packets twice', t => {
  const { plane, queue, port } = bench()
  const shared = queue.pipe(share())
  const [a, b]: number[][] = [[], []]
  const bad = filterPackets<Burst>(packet => {
    if (numberOf(packet) === 2 && a.length === 0) throw new Error('predicate')
    return true
  })
  shared.pipe(bad, retry()).subscribe(burst => a.push(...numbers(burst)))
  shared.subscribe(burst => b.push(...numbers(burst)))
  port.send(...frames(4))
  plane.loop.drain()
  port.send(...frames(4, 4))
  plane.loop.drain()
  t.deepEqual(b, upTo(8))
  t.is(plane.pool.leases, 0)
})

test('N12: subscribing and sending from inside next never recurses', t => {
  const { plane, queue, port } = bench()
  let depth = 0
  let deepest = 0
  let seen = 0
  queue.subscribe(burst => {
    deepest = Math.max(deepest, ++depth)
    seen += burst.length
    if (seen < 100) port.send(frame())
    queue.pipe(take(1)).subscribe()
    depth--
  })
  port.send(frame())
  plane.loop.drain()
  t.deepEqual([deepest, seen], [1, 100])
})

test('a guest that kicks without work is muted for a while', t => {
  const { plane, queue, port } = bench({ poll: 'interrupt' })
  queue.subscribe()
  plane.loop.drain()
  for (let i = 0; i < IDLE_KICKS; i++) port.kick()
  t.true(port.muted)
  plane.loop.drain()
  port.send(frame())
  plane.loop.drain()
  t.is(queue.stats.packets, 0)
  plane.loop.advance(MUTE_MS)
  t.false(port.muted)
  t.is(queue.stats.packets, 1)
})

test('it follows rings: packets of the old one stay valid, the new one is drained, close completes', t => {
  const { plane, queue, source, port } = bench()
  let held: HeldBurst | undefined
  let completed = false
  const seen: number[] = []
  queue.subscribe({
    next: burst => {
      held ??= burst.retain()
      seen.push(...numbers(burst))
    },
    complete: () => {
      completed = true
    },
  })
  port.send(...frames(2))
  plane.loop.drain()
  source.detach()
  plane.loop.drain()
  const next = new FakePort(plane.pool)
  next.send(...frames(2, 2))
  source.attach(next)
  plane.loop.drain()
  t.deepEqual(seen, upTo(4))
  t.deepEqual(numbers(held as HeldBurst), [0, 1])
  source.close()
  t.true(completed)
  held?.release()
  t.is(plane.pool.leases, 0)
  t.throws(() => queue.dequeueBurst(), { code: 'ERR_VHOST_DEVICE_GONE' })
})

test('the queue goes on with a ring that stops and starts', t => {
  const { plane, queue, port } = bench()
  queue.subscribe()
  plane.loop.drain()
  port.setRunning(false)
  port.send(...frames(3))
  plane.loop.drain()
  t.is(queue.stats.packets, 0)
  port.setRunning(true)
  plane.loop.drain()
  t.is(queue.stats.packets, 3)
})

test('plain calls: a burst of your own, refilled without leaking, refused while someone is subscribed', t => {
  const { plane, queue, port } = bench()
  port.send(...frames(10))
  const burst = queue.createBurst(4)
  t.is(queue.dequeueBurst(burst).length, 4)
  t.deepEqual(numbers(queue.dequeueBurst(burst)), upTo(4, 4))
  t.is(plane.pool.leases, 4)
  const rest = queue.dequeueBurst(32)
  t.deepEqual(numbers(rest), [8, 9])
  rest.release()
  burst.release()
  t.is(plane.pool.leases, 0)
  t.throws(() => queue.dequeueBurst(rest), { code: 'ERR_VHOST_INVALID_ARGUMENT' })
  const running = queue.subscribe()
  t.throws(() => queue.dequeueBurst(), { code: 'ERR_VHOST_QUEUE_IN_USE' })
  running.unsubscribe()
  t.is(queue.dequeueBurst().length, 0)
})

test('VhostQueue defines no member of rxjs 7 Observable, and pipe() gives a plain Observable', t => {
  const { queue } = bench()
  const own = [
    ...Object.getOwnPropertyNames(queue),
    ...Object.getOwnPropertyNames(Object.getPrototypeOf(queue)),
  ]
  for (const name of ['source', 'operator', 'lift', 'forEach', 'pipe', 'subscribe'])
    t.false(own.includes(name), name)
  t.is(Object.getPrototypeOf(queue.pipe(take(1))), Observable.prototype)
})
