// The to-guest queue: which packets it takes, queues and drops, and which account is charged for queued packets.
import test from 'ava'
import { type MonoTypeOperatorFunction, merge, type Observable } from 'rxjs'
import { FlowTable } from '../../src/data/pair-steering.js'
import { SinkGroup } from '../../src/data/sink/group.js'
import { detach, enqueue, mirror, rebatch } from '../../src/operators/index.js'
import type { Burst } from '../../src/packet/burst.js'
import type { Packet } from '../../src/packet/packet.js'
import {
  FakePort,
  fakeFromGuest,
  fakePlane,
  fakeToGuest,
  frame,
  frames,
  numberOf,
} from '../../src/testing/index.js'

const upTo = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

function bench(
  options: Parameters<typeof fakeToGuest>[1] = {},
  source: Parameters<typeof fakeFromGuest>[1] = {},
) {
  const plane = fakePlane()
  const to = fakeToGuest(plane, options)
  return { plane, from: fakeFromGuest(plane, source), to, got: () => to.port.received.map(numberOf) }
}

test('block: a full ring stalls its source by its credit; every packet arrives, in order', t => {
  const { plane, from, to, got } = bench({}, { highWaterMark: 64 })
  from.queue.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(200))
  plane.loop.drain()
  t.is(from.port.waiting, 136)
  t.is(to.sink.stats.held, 64)
  while (from.port.waiting > 0 || to.sink.stats.held > 0) {
    to.port.post(7)
    plane.loop.drain()
  }
  t.deepEqual(got(), upTo(200))
  t.is(plane.pool.leases, 0)
})

test('the backlog survives an unsubscription and goes before newer packets', t => {
  const { plane, from, to, got } = bench({ room: 3 })
  const running = from.queue.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(10))
  plane.loop.drain()
  running.unsubscribe()
  from.port.send(...frames(10, 10))
  from.queue.pipe(enqueue(to.sink)).subscribe()
  to.port.post(100)
  plane.loop.drain()
  t.deepEqual(got(), upTo(20))
})

test('drop-newest and drop-oldest queue a bounded number, count the others, and never slow their source', t => {
  for (const overflow of ['drop-newest', 'drop-oldest'] as const) {
    const { plane, from, to, got } = bench({ highWaterMark: 5 }, { highWaterMark: 64, size: 4096 })
    from.queue.pipe(mirror(to.sink, { overflow })).subscribe()
    from.port.send(...frames(1000))
    plane.loop.drain()
    t.is(from.port.waiting, 0)
    t.is(from.queue.stats.held, 0, 'the sink pays for what it keeps')
    t.is(to.sink.stats.drops.overflow, 995)
    to.port.post(100)
    plane.loop.drain()
    t.deepEqual(got(), overflow === 'drop-newest' ? upTo(5) : upTo(5, 995))
    t.is(plane.pool.leases, 0)
  }
})

test('drop-oldest does not drop packets of a pipeline that blocks', t => {
  const { plane, from, to, got } = bench({ highWaterMark: 4 }, { burst: 2 })
  from.queue
    .pipe(enqueue(to.sink))
    .subscribe()
    .add(from.queue.pipe(mirror(to.sink, { overflow: 'drop-oldest' })).subscribe())
  from.port.send(...frames(6))
  plane.loop.drain()
  to.port.post(100)
  plane.loop.drain()
  t.deepEqual([...new Set(got())], upTo(6))
  t.is(plane.pool.leases, 0)
})

test('strict: a packet that does not fit is an error of the pipeline, and counted', t => {
  const { plane, from, to } = bench({ highWaterMark: 4, room: 2 })
  const errors: { code?: string }[] = []
  from.queue.pipe(enqueue(to.sink, { overflow: 'strict' })).subscribe({ error: error => errors.push(error) })
  from.port.send(...frames(10))
  plane.loop.drain()
  t.deepEqual(
    errors.map(error => error.code),
    ['ERR_VHOST_OVERFLOW'],
  )
  t.is(to.sink.stats.drops.overflow, 4)
})

test('the sink waits for a running ring only: with a stopped, absent or gone one it drops, each with its reason', t => {
  const { plane, from, to } = bench({}, { size: 1024 })
  from.queue.pipe(enqueue(to.sink)).subscribe()
  const send = () => {
    from.port.send(...frames(10))
    plane.loop.drain()
  }
  send()
  t.is(to.sink.stats.held, 10)
  to.port.setRunning(false)
  plane.loop.drain()
  send()
  to.target.detach()
  send()
  to.target.close()
  send()
  t.deepEqual(to.sink.stats.drops, { 'not-ready': 20, 'no-device': 10, gone: 10 })
  t.is(plane.pool.leases, 0)
})

test('whileAbsent: block queues packets until a ring runs', t => {
  const { plane, from, to } = bench({ whileAbsent: 'block' }, { highWaterMark: 64, size: 1024 })
  to.target.detach()
  from.queue.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(100))
  plane.loop.drain()
  t.is(from.port.waiting, 36)
  const next = new FakePort(plane.pool)
  next.running = false
  to.target.attach(next)
  plane.loop.drain()
  next.post(200)
  next.setRunning(true)
  plane.loop.drain()
  t.deepEqual(next.received.map(numberOf), upTo(100))
  t.deepEqual(to.sink.stats.drops, {})
})

test('single packets make one native call a burst', t => {
  const { plane, from, to, got } = bench({ room: 256 }, { burst: 32 })
  from.queue.packets.pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(64))
  plane.loop.drain()
  t.deepEqual(got(), upTo(64))
  t.is(to.port.calls.enqueue, 2)
})

test('packets outside a burst scope are flushed in a later turn', t => {
  const { plane, from, to, got } = bench({ room: 10 })
  from.port.send(...frames(3))
  plane.loop.drain()
  const burst = from.queue.dequeueBurst(3)
  for (const packet of burst) to.sink.next(packet)
  burst.release()
  t.is(to.port.calls.enqueue, 0)
  plane.loop.drain()
  t.deepEqual(got(), upTo(3))
  t.is(plane.pool.leases, 0)
})

test('enqueue completes when the source has completed and the ring has taken all packets', t => {
  const { plane, from, to } = bench({ room: 4 })
  let completed = false
  from.queue.pipe(enqueue(to.sink)).subscribe({
    complete: () => {
      completed = true
    },
  })
  from.port.send(...frames(10))
  plane.loop.drain()
  from.source.close()
  t.false(completed)
  to.port.post(6)
  plane.loop.drain()
  t.true(completed)
})

test('a sink is an Observer', t => {
  const { plane, from, to, got } = bench({ room: 10 })
  from.queue.subscribe(to.sink)
  from.port.send(...frames(5))
  plane.loop.drain()
  t.deepEqual(got(), upTo(5))
})

test('each of several sources into one sink stays in order', t => {
  const { plane, from, to, got } = bench({ room: 1 })
  const other = fakeFromGuest(plane)
  merge(from.queue, other.queue).pipe(enqueue(to.sink)).subscribe()
  from.port.send(...frames(50))
  other.port.send(...frames(50, 1000))
  plane.loop.drain()
  to.port.post(200)
  plane.loop.drain()
  t.deepEqual(
    got().filter(number => number < 1000),
    upTo(50),
  )
  t.deepEqual(
    got().filter(number => number >= 1000),
    upTo(50, 1000),
  )
})

test('enqueueBurst enqueues what there is room for and queues nothing', t => {
  const { plane, from, to, got } = bench({ room: 3 })
  from.port.send(...frames(5))
  const burst = from.queue.dequeueBurst()
  t.is(to.sink.enqueueBurst(burst), 3)
  burst.release()
  t.is(plane.pool.leases, 0)
  t.deepEqual(got(), upTo(3))
  t.throws(() => to.sink.enqueueBurst(burst), { code: 'ERR_VHOST_LEASE_RELEASED' })
})

test('sendFrame drops and counts a frame for which the pool or the ring has no room', t => {
  const plane = fakePlane()
  const { sink, target, port } = fakeToGuest(plane, { room: 1, highWaterMark: 1 })
  for (let n = 0; n < 3; n++) sink.sendFrame(Uint8Array.of(n, 1, 2))
  t.deepEqual(port.received, [Buffer.of(0, 1, 2)])
  t.deepEqual([sink.stats.held, sink.stats.drops], [1, { overflow: 1 }])
  const taken: number[] = []
  for (let slot = plane.pool.alloc(3); slot >= 0; slot = plane.pool.alloc(3)) taken.push(slot)
  sink.sendFrame(Uint8Array.of(3))
  t.deepEqual(sink.stats.drops, { overflow: 1, 'no-slot': 1 })
  for (const slot of taken) plane.pool.release(slot)
  target.detach()
  sink.sendFrame(Uint8Array.of(4))
  t.deepEqual(sink.stats.drops, { overflow: 1, 'no-slot': 1, 'no-device': 2 })
  t.is(plane.pool.leases, 0)
})

const NOT_IN_A_BURST_OF_FIVE = [-1, 0.5, 6, Number.NaN, Number.POSITIVE_INFINITY]

test('enqueueBurst refuses to begin at a packet that the burst does not have', t => {
  const { from, to } = bench({ room: 9 })
  from.port.send(...frames(5))
  const burst = from.queue.dequeueBurst()
  for (const at of NOT_IN_A_BURST_OF_FIVE)
    t.throws(() => to.sink.enqueueBurst(burst, at), { instanceOf: RangeError, message: /from 0 to 5/ })
  t.is(to.sink.enqueueBurst(burst, 5), 0)
  burst.release()
})

// TypeScript's types forbid it, but a JavaScript program has none.
const asBurst = (item: unknown): Burst => item as Burst
const asPacket = (item: unknown): Packet => item as Packet

test('a copy, or a packet of another pool, is refused: the packet with the same slot id is never sent', t => {
  const { plane, from, to } = bench({ room: 100 }, { size: 1024 })
  const other = fakeFromGuest(fakePlane())
  const refused = { code: 'ERR_VHOST_INVALID_ARGUMENT', message: /own pool.*retain\(\)/ }
  from.port.send(...frames(3))
  other.port.send(...frames(3, 1000))
  const [ours, theirs] = [from.queue.dequeueBurst(), other.queue.dequeueBurst()]
  const copies: unknown[] = []
  from.queue.pipe(detach()).subscribe(burst => copies.push(burst, burst.packet(0)))
  from.queue.packets.pipe(detach()).subscribe(packet => copies.push(packet))
  from.port.send(...frames(1, 3))
  plane.loop.drain()
  t.is(copies.length, 3)
  const group = new SinkGroup(plane)
  const ports = [new FakePort(plane.pool), new FakePort(plane.pool)]
  for (const port of ports) port.post(100)
  group.attach({ port: pair => ports[pair], flows: new FlowTable(), used: [0, 1], several: true }, [0, 1])
  for (const sink of [to.sink, to.target, group]) {
    for (const item of [...copies, theirs.packet(0), theirs, ours, undefined]) {
      t.throws(() => sink.next(asPacket(item)), refused)
      t.throws(() => sink.accept(asBurst(item), 'drop-newest'), refused)
    }
  }
  for (const item of [...copies, theirs])
    for (const enqueueBurst of [
      to.sink.enqueueBurst.bind(to.sink),
      (burst: Burst) => group.enqueue(burst, 0),
    ])
      t.throws(() => enqueueBurst(asBurst(item)), refused)
  for (const packet of ours) to.sink.next(packet)
  ours.release()
  theirs.release()
  plane.loop.drain()
  t.deepEqual(to.port.received.map(numberOf), upTo(3))
  t.deepEqual(
    ports.map(port => port.receivedCount),
    [0, 0],
  )
  t.is(plane.pool.leases, 0)
})

test('a pipeline of copies into a sink fails, with a fix', t => {
  const { plane, from, to } = bench({ room: 100 })
  const errors: { code?: string; fix?: string }[] = []
  const copies = detach() as unknown as MonoTypeOperatorFunction<Burst>
  for (const source of [from.queue, from.queue.packets] as unknown as Observable<Burst>[])
    source.pipe(copies, enqueue(to.sink)).subscribe({ error: error => errors.push(error) })
  from.port.send(frame())
  plane.loop.drain()
  t.deepEqual(
    errors.map(({ code }) => code),
    ['ERR_VHOST_INVALID_ARGUMENT', 'ERR_VHOST_INVALID_ARGUMENT'],
  )
  t.is(to.port.receivedCount, 0)
  t.is(plane.pool.leases, 0)
})

test('a burst that is larger than one native call arrives whole', t => {
  const { plane, from, to, got } = bench({ room: 1000, size: 1024 }, { size: 1024, highWaterMark: 1000 })
  from.queue.pipe(rebatch(600), enqueue(to.sink)).subscribe()
  from.port.send(...frames(600))
  plane.loop.drain()
  t.deepEqual(got(), upTo(600))
  t.is(plane.pool.leases, 0)
})

test('a guest that posts too few buffers for the next packet does not cause a busy loop', t => {
  const { plane, from, to } = bench()
  to.port.arm = () => true
  from.queue.pipe(enqueue(to.sink)).subscribe()
  from.port.send(frame())
  plane.loop.drain()
  const { enqueue: calls } = to.port.calls
  t.true(calls < 20, `${calls} calls`)
  to.port.post(1)
  plane.loop.advance(2)
  t.is(to.port.receivedCount, 1)
})

test('pipelines into a sink are counted, so that its driver runs as long as they do', t => {
  const events: string[] = []
  const { from, to } = bench({ onStart: () => events.push('start'), onStop: () => events.push('stop') })
  const copy = mirror(to.sink)
  const [a, b] = [from.queue.pipe(copy).subscribe(), from.queue.pipe(enqueue(to.sink)).subscribe()]
  a.unsubscribe()
  t.deepEqual(events, ['start'])
  b.unsubscribe()
  t.deepEqual(events, ['start', 'stop'])
})
