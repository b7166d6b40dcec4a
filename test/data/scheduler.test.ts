// One budget per turn of the event loop, shared by all queues.
import test from 'ava'
import { SinkQueue } from '../../src/data/sink/sink.js'
import { SourceQueue } from '../../src/data/source/source.js'
import { TURN_MS, VISIT_PACKETS } from '../../src/data/turn/scheduler.js'
import { Share } from '../../src/data/turn/task.js'
import { enqueue, mirror } from '../../src/operators/index.js'
import { VhostQueue, VhostSink } from '../../src/queue/queue.js'
import { FakePort } from '../../src/testing/fake-port.js'
import { type FakePlane, fakeFromGuest, fakePlane, fakeToGuest, frame } from '../../src/testing/index.js'

test('a slow subscriber gets one burst a turn, and other queues are served in between', t => {
  const plane = fakePlane()
  const [slow, quick] = [fakeFromGuest(plane, { burst: 32 }), fakeFromGuest(plane, { burst: 32 })]
  slow.port.sendSame(frame(), 320)
  quick.port.sendSame(frame(), 3200)
  const order: string[] = []
  slow.queue.subscribe(() => {
    order.push('slow')
    plane.loop.time += TURN_MS
  })
  quick.queue.subscribe(() => {
    order.push('quick')
    plane.loop.time += TURN_MS / 4
  })
  plane.loop.drain()
  t.is(order.length, 110)
  const until = order.lastIndexOf('slow')
  const longest = order
    .slice(0, until)
    .join()
    .split('quick')
    .reduce((most, run) => Math.max(most, run.split('slow').length - 1), 0)
  t.is(longest, 1, 'never two slow bursts in a row while the quick one has packets')
})

test('a turn ends soon after its budget, however much there is to do', t => {
  const plane = fakePlane()
  const sources = Array.from({ length: 10 }, () => fakeFromGuest(plane, { poll: 'interrupt', burst: 32 }))
  let worst = 0
  for (const { port, queue } of sources) {
    port.sendSame(frame(), 3200)
    queue.subscribe(() => {
      plane.loop.time += 0.1
    })
  }
  while (!plane.loop.idle) {
    const before = plane.loop.time
    plane.loop.turn()
    worst = Math.max(worst, plane.loop.time - before)
  }
  t.true(worst < TURN_MS + 0.2, `${worst} ms`)
  t.is(
    sources.reduce((sum, { queue }) => sum + queue.stats.packets, 0),
    32_000,
  )
})

test('equal queues get equal shares within any turn: a visit moves a bounded number of packets', t => {
  const plane = fakePlane()
  const sources = Array.from({ length: 4 }, () => fakeFromGuest(plane))
  for (const { port, queue } of sources) {
    port.sendSame(frame(), 100_000)
    queue.subscribe(() => {
      plane.loop.time += 0.013
    })
  }
  for (let i = 0; i < 200; i++) {
    plane.loop.turn()
    const moved = sources.map(({ queue }) => queue.stats.packets)
    t.true(Math.max(...moved) - Math.min(...moved) <= 2 * VISIT_PACKETS, moved.join())
  }
})

test('a guest that posts no buffers stalls only its own source', t => {
  const plane = fakePlane({ bytes: 8 << 20 })
  const [a, b] = [fakeFromGuest(plane), fakeFromGuest(plane)]
  const [stuck, open] = [fakeToGuest(plane), fakeToGuest(plane, { room: 1e9, size: 1e9, record: false })]
  a.queue.pipe(enqueue(stuck.sink)).subscribe()
  b.queue.pipe(enqueue(open.sink)).subscribe()
  a.port.sendSame(frame(), 5000)
  b.port.sendSame(frame(), 5000)
  plane.loop.drain()
  t.is(open.port.receivedCount, 5000)
  t.is(a.queue.stats.packets, 1024)
  t.is(a.port.waiting, 5000 - 1024)
  stuck.port.post(10)
  plane.loop.drain()
  t.is(stuck.port.receivedCount, 10)
})

/** A from-guest queue whose packets take `ms` milliseconds per burst, as one of a device's. */
function busyQueue(plane: FakePlane, share: Share, ms: number, used: number[], device: number): void {
  const source = new SourceQueue(plane, { burst: 32 })
  const port = Object.assign(new FakePort(plane.pool), { share })
  source.attach(port)
  port.sendSame(frame(), 200_000)
  new VhostQueue(source).subscribe(() => {
    plane.loop.time += ms
    used[device] += ms
  })
}

for (const [what, queues, ms] of [
  ['64 queues', 64, 0.01],
  ['one queue whose bursts cost ten times as much', 1, 0.1],
  ['64 queues whose bursts cost more than a share per round', 64, 0.2],
] as const)
  test(`two devices get equal time, although one has ${what}`, t => {
    const plane = fakePlane({ bytes: 64 << 20 })
    const used = [0, 0]
    const [honest, attacker] = [new Share(), new Share()]
    busyQueue(plane, honest, 0.01, used, 0)
    for (let i = 0; i < queues; i++) busyQueue(plane, attacker, ms, used, 1)
    while (used[0] + used[1] < 30) plane.loop.turn()
    t.true(used[0] / used[1] > 0.95, `${used.map(time => time.toFixed(2)).join(' and ')} ms`)
  })

test('a device of weight 3 gets three times as much time as one of weight 1', t => {
  const plane = fakePlane({ bytes: 64 << 20 })
  const used = [0, 0]
  busyQueue(plane, new Share(3), 0.01, used, 0)
  busyQueue(plane, new Share(1), 0.01, used, 1)
  while (used[0] + used[1] < 30) plane.loop.turn()
  t.true(Math.abs(used[0] / used[1] - 3) < 0.1, `${used.map(time => time.toFixed(2)).join(' and ')} ms`)
})

test('time that a device did not use while it was idle is not saved up', t => {
  const plane = fakePlane({ bytes: 64 << 20 })
  const used = [0, 0]
  busyQueue(plane, new Share(), 0.01, used, 0)
  while (used[0] < 20) plane.loop.turn()
  used[0] = 0
  busyQueue(plane, new Share(), 0.01, used, 1)
  while (used[0] + used[1] < 10) plane.loop.turn()
  t.true(used[0] / used[1] > 0.85, `${used.map(time => time.toFixed(2)).join(' and ')} ms`)
})

test('a guest whose receive buffers take long to fill pays for that time, and the pipeline into it does not', t => {
  const plane = fakePlane({ bytes: 64 << 20 })
  const used = [0, 0]
  const [honest, greedy] = [new Share(), new Share()]
  const source = new SourceQueue(plane, { burst: 32 })
  const from = Object.assign(new FakePort(plane.pool), { share: honest })
  source.attach(from)
  from.sendSame(frame(), 200_000)
  // A mirror to the greedy guest: each packet has 100 more descriptors than are free, of 10 ns each.
  const to = Object.assign(new FakePort(plane.pool, { size: 1e9, record: false }), { share: greedy })
  const enqueue = to.enqueue.bind(to)
  to.enqueue = (count, at) => {
    const result = enqueue(count, at)
    to.walked += 164 * (result & 0xffff)
    const ms = 0.001 * (result & 0xffff)
    plane.loop.time += ms
    used[1] += ms
    return result
  }
  const sink = new SinkQueue(plane)
  sink.attach(to)
  to.post(1e9)
  const queue = new VhostQueue(source)
  const mirrored = new VhostSink(sink)
  queue.pipe(mirror(mirrored)).subscribe(() => {
    plane.loop.time += 0.01
    used[0] += 0.01
  })
  for (let i = 0; i < 1000 && used[0] < 10; i++) plane.loop.turn()
  t.true(used[0] / (used[0] + used[1]) > 0.45, `${used.map(time => time.toFixed(2)).join(' and ')} ms`)
  t.true(to.receivedCount > 0)
  const { packets, held, drops } = mirrored.stats
  t.is(packets + held + drops.overflow, queue.stats.packets, 'each packet arrived, waits or was dropped')
})
